/**
 * Ends one process: SIGTERM, a pause, SIGKILL.
 * @module
 */

import { sleep } from "../async/deadline.ts";
import type { ProcessIdentity } from "../domain/process.ts";
import { after } from "../domain/time.ts";
import type { VmRecord } from "../domain/vm_record.ts";
import type { Clock } from "../ports/clock.ts";
import type { Launcher } from "../ports/launcher.ts";
import type { ProcessTable } from "../ports/process_table.ts";

export type Ending =
  | { readonly kind: "dead" }
  /** It lives although it was killed, or its leader ended and other tasks of it live on. */
  | { readonly kind: "unfenceable"; readonly detail: string }
  | { readonly kind: "no_permission"; readonly detail: string }
  | { readonly kind: "unknown"; readonly detail: string }
  /** Intent changed between two steps. */
  | { readonly kind: "abandoned"; readonly detail: string };

export interface EndingPorts {
  readonly clock: Clock;
  readonly processTable: ProcessTable;
}

/** Between SIGTERM and SIGKILL, and from there to giving up. */
const TERM_TO_KILL_MS = 5_000;
const KILL_TO_DEATH_MS = 5_000;
const POLL_FIRST_MS = 5;
const POLL_MAX_MS = 250;

/**
 * @param mayGoOn asked immediately before each signal; a text is the reason not to
 * @param termToKillMs 0: SIGKILL at once
 */
export async function endProcess(
  ports: EndingPorts,
  identity: ProcessIdentity,
  mayGoOn: () => Promise<string | undefined>,
  termToKillMs: number = TERM_TO_KILL_MS,
): Promise<Ending> {
  const steps = [
    { signal: "SIGTERM", waitMs: termToKillMs },
    { signal: "SIGKILL", waitMs: KILL_TO_DEATH_MS },
  ] as const;
  for (const { signal, waitMs } of steps) {
    const objection = await mayGoOn();
    if (objection !== undefined) return { kind: "abandoned", detail: objection };
    const sent = await ports.processTable.signal(identity, signal);
    if (sent.kind === "no_permission") return { kind: "no_permission", detail: `${signal} to pid ${identity.pid}` };
    if (sent.kind === "unknown") return { kind: "unknown", detail: `${signal} to pid ${identity.pid}: ${sent.error}` };
    if (sent.kind === "gone" || (await diesWithin(ports, identity, waitMs))) break;
  }
  return await leftAfterEnding(ports, identity);
}

async function leftAfterEnding(ports: EndingPorts, identity: ProcessIdentity): Promise<Ending> {
  const left = await ports.processTable.inspect(identity);
  if (left.kind === "dead") return { kind: "dead" };
  if (left.kind === "unknown") return { kind: "unknown", detail: left.error };
  if (left.kind === "zombie_leader") {
    return {
      kind: "unfenceable",
      detail: `pid ${identity.pid} has ended, ${left.liveTasks} other tasks of it live on`,
    };
  }
  const where = await ports.processTable.sleepsIn(identity);
  return {
    kind: "unfenceable",
    detail: `pid ${identity.pid} survives SIGKILL in state ${left.state}${where === undefined ? "" : `, wchan ${where}`}`,
  };
}

/** Ends a process of a VM by the means by which it was started: a unit's manager would start again what a signal ended. */
export async function endOfVm(
  ports: EndingPorts & { readonly launcher: Launcher },
  record: VmRecord,
  identity: ProcessIdentity,
  mayGoOn: () => Promise<string | undefined>,
  termToKillMs?: number,
): Promise<Ending> {
  if (record.launch?.kind !== "unit") return await endProcess(ports, identity, mayGoOn, termToKillMs);
  const objection = await mayGoOn();
  if (objection !== undefined) return { kind: "abandoned", detail: objection };
  const stopped = await ports.launcher.stopUnit(record.launch.unit);
  if (stopped.kind === "failed") return { kind: "unknown", detail: stopped.error };
  return await leftAfterEnding(ports, identity);
}

/** Waits for a process to be dead, at most `waitMs`; false when it is not, or when nobody can tell. */
export async function diesWithin(
  ports: EndingPorts,
  identity: ProcessIdentity,
  waitMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const until = after(ports.clock.monotonic(), waitMs);
  let pollMs = POLL_FIRST_MS;
  for (;;) {
    if ((await ports.processTable.inspect(identity)).kind === "dead") return true;
    const leftMs = until - ports.clock.monotonic();
    if (leftMs <= 0 || signal?.aborted === true) return false;
    await sleep(ports.clock, Math.min(pollMs, leftMs), signal);
    pollMs = Math.min(pollMs * 2, POLL_MAX_MS);
  }
}
