/**
 * Handles on processes that no reuse of a pid can misdirect: https://man7.org/linux/man-pages/man2/pidfd_open.2.html
 *
 * Neither runtime offers them, so they come through its foreign function interface. That needs a runtime that may make
 * machine code at run time, which a hardened service may be denied; then there are none, and their users do without.
 * @module
 */

export interface Pidfds {
  /** Undefined when the pid names no process, or when there is no file descriptor left. */
  open(pid: number): number | undefined;
  /** Whether the process was signalled. */
  signal(pidfd: number, signal: number): boolean;
  close(pidfd: number): void;
  /**
   * Calls `onExit` once when every task of the process has ended. Takes the pidfd over and closes it: after the call, or
   * when the returned function ends the watch, whichever is first.
   */
  watch(pidfd: number, onExit: () => void): () => void;
}

/** Numbers of the system calls; those added since 2019 are the same on every architecture. */
export const PIDFD_SEND_SIGNAL_CALL = 424;
export const PIDFD_OPEN_CALL = 434;

/** Undefined where the runtime cannot call the C library. */
export async function loadPidfds(): Promise<Pidfds | undefined> {
  try {
    if ("Bun" in globalThis) return (await import("./pidfd_bun.ts")).openPidfds();
    if ("Deno" in globalThis) return (await import("./pidfd_deno.ts")).openPidfds();
    return undefined;
  } catch {
    return undefined;
  }
}
