/**
 * Notices that a process has ended.
 *
 * By pidfd where the runtime offers it, else by looking now and then. The way by pidfd rests on undocumented behaviour,
 * so it is tried on a process of our own before it is relied on, and nobody may rely on it alone: an event is a wake-up,
 * and the sweep repairs what is lost.
 * @module
 */

import { spawn } from "node:child_process";
import type { ProcessIdentity } from "../../domain/process.ts";
import type { ProcessEvents } from "../../ports/process_events.ts";
import { createExitPoll } from "./exit_poll.ts";
import type { Pidfds } from "./pidfd.ts";
import { createProcFileReader } from "./proc_file.ts";
import { readStat } from "./read_process.ts";

/** How long the trial waits for an exit that a working runtime reports in under a millisecond. */
const TRIAL_TIMEOUT_MS = 1000;

export interface ProcessEventsOptions {
  /** Undefined: there are none, look now and then instead. */
  readonly pidfds: Pidfds | undefined;
}

/** The events, and by which way they come. */
export type SystemProcessEvents = ProcessEvents & { readonly way: "pidfd" | "poll" };

export async function createProcessEvents(options: ProcessEventsOptions): Promise<SystemProcessEvents> {
  const { pidfds } = options;
  const read = createProcFileReader();
  const poll = createExitPoll(read);
  if (pidfds === undefined || !(await reportsExits(pidfds))) return { way: "poll", watch: poll };
  return { way: "pidfd", watch: (identity, onExit) => watchPidfd({ pidfds, identity, onExit, read, poll }) };
}

interface Watch {
  readonly pidfds: Pidfds;
  readonly identity: ProcessIdentity;
  readonly onExit: () => void;
  readonly read: ReturnType<typeof createProcFileReader>;
  readonly poll: ProcessEvents["watch"];
}

function watchPidfd({ pidfds, identity, onExit, read, poll }: Watch): () => void {
  const pidfd = pidfds.open(identity.pid);
  // Dead, or no file descriptor left: the poll tells which.
  if (pidfd === undefined) return poll(identity, onExit);
  // The pid may have been taken by another process before the handle was opened, never after.
  if (!isStill(read, identity)) {
    pidfds.close(pidfd);
    return poll(identity, onExit);
  }
  return pidfds.watch(pidfd, onExit);
}

function isStill(read: Watch["read"], identity: ProcessIdentity): boolean {
  try {
    return readStat(read, `/proc/${identity.pid}`)?.startTicks === identity.startTicks;
  } catch {
    return false;
  }
}

/** Watches a process of our own: nothing may be reported while it lives, and its end must be. */
async function reportsExits(pidfds: Pidfds): Promise<boolean> {
  const child = spawn("/bin/sh", ["-c", "read -r line"], { stdio: ["pipe", "ignore", "ignore"] });
  child.on("error", () => {});
  child.stdin?.on("error", () => {});
  const pidfd = child.pid === undefined ? undefined : pidfds.open(child.pid);
  if (pidfd === undefined) {
    child.kill("SIGKILL");
    return false;
  }
  return await new Promise((resolve) => {
    let mayEnd = false;
    const finish = (works: boolean) => {
      clearTimeout(timeout);
      unwatch();
      child.kill("SIGKILL");
      resolve(works);
    };
    const timeout = setTimeout(() => finish(false), TRIAL_TIMEOUT_MS);
    const unwatch = pidfds.watch(pidfd, () => finish(mayEnd));
    // One turn of the event loop is enough for a report that comes too early.
    setImmediate(() => {
      mayEnd = true;
      child.stdin?.end();
    });
  });
}
