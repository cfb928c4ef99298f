/**
 * Time, as the core is allowed to know it.
 * @module
 */

import type { MonotonicMs, WallMs } from "../domain/time.ts";

export interface Clock {
  monotonic(): MonotonicMs;
  /** For people and for instants written by others; it may jump either way. */
  wall(): WallMs;
  /** Calls `callback` once, at `at` or as soon after it as the event loop permits. Returns what cancels the call. */
  schedule(at: MonotonicMs, callback: () => void): () => void;
}
