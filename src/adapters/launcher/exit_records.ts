/**
 * How the children of this agent ended.
 *
 * The kernel tells a parent once, and the runtime passes it on a little after the death can be seen in `/proc`: whoever
 * asks in between waits for it. The children of an agent that is gone have nobody who was told.
 * @module
 */

import type { ChildProcess } from "node:child_process";
import type { ProcessIdentity } from "../../domain/process.ts";
import type { ExitStatus } from "../../ports/launcher.ts";

/** Older exits are forgotten first; whoever is interested asks at once. */
const RECORDS_MAX = 4096;
/** From a death to the news of it. */
const NEWS_TIMEOUT_MS = 200;

export interface ExitRecords {
  add(process: ProcessIdentity, exit: Exit): void;
  /** @param isDead whether the process has ended as the host shows it: only then its status is waited for */
  statusOf(process: ProcessIdentity, isDead: () => boolean): Promise<ExitStatus | undefined>;
}

export function createExitRecords(): ExitRecords {
  const exits = new Map<string, Exit>();
  return {
    add(process, exit) {
      const [oldest] = exits.keys();
      if (exits.size >= RECORDS_MAX && oldest !== undefined) exits.delete(oldest);
      exits.set(keyOf(process), exit);
    },
    async statusOf(process, isDead) {
      const exit = exits.get(keyOf(process));
      if (exit === undefined) return undefined;
      return exit.status() ?? (isDead() ? await exit.wait(NEWS_TIMEOUT_MS) : undefined);
    },
  };
}

export interface Exit {
  /** Undefined while nothing has been heard. */
  status(): ExitStatus | undefined;
  /** Undefined when nothing is heard in time. */
  wait(timeoutMs: number): Promise<ExitStatus | undefined>;
}

/** To be called in the turn in which the child was spawned. */
export function trackExit(child: ChildProcess): Exit {
  let status: ExitStatus | undefined;
  const waiters = new Set<() => void>();
  child.once("exit", (code, signal) => {
    status = { code: code ?? undefined, signal: signal ?? undefined };
    for (const wake of waiters) wake();
  });
  return {
    status: () => status,
    wait(timeoutMs) {
      if (status !== undefined) return Promise.resolve(status);
      return new Promise((resolve) => {
        const finish = () => {
          clearTimeout(timeout);
          waiters.delete(finish);
          resolve(status);
        };
        const timeout = setTimeout(finish, timeoutMs);
        waiters.add(finish);
      });
    },
  };
}

function keyOf(process: ProcessIdentity): string {
  return `${process.pid} ${process.startTicks}`;
}
