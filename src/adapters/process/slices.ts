/**
 * Lets other work in between the parts of long work.
 *
 * A look at every process of a host takes tens of milliseconds. Probes and exit events must not wait for that.
 * @module
 */

import { setImmediate } from "node:timers/promises";

const SLICE_MS = 4;

/** Returns a function that resolves at once, or after a turn of the event loop when the slice is used up. */
export function createSlices(): () => Promise<void> {
  let endAt = performance.now() + SLICE_MS;
  return async () => {
    if (performance.now() < endAt) return;
    await setImmediate();
    endAt = performance.now() + SLICE_MS;
  };
}
