/**
 * Notice that a process has ended, sooner than the next look would.
 * @module
 */

import type { ProcessIdentity } from "../domain/process.ts";

export interface ProcessEvents {
  /**
   * Calls `onExit` once when the process seems to have ended. The call is a wake-up, never a verdict: it may be early, late or
   * lost. Returns what ends the watch.
   */
  watch(identity: ProcessIdentity, onExit: () => void): () => void;
}
