/**
 * Proves that no process of a VM is left, ending what is left of a dead one.
 *
 * The proof is a scan that began after the launcher said that nothing is queued, and that found no main, owned or look-alike process.
 * What cannot be proven is said, and nothing is started.
 * @module
 */

import { sleepUntil } from "../async/deadline.ts";
import type { BlockedReason, FenceProof } from "../domain/event.ts";
import type { ProcessFacts, ProcessIdentity } from "../domain/process.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import type { VmRecord } from "../domain/vm_record.ts";
import type { ActWorld } from "./act.ts";
import type { Ending } from "./end_process.ts";
import { endProcess } from "./end_process.ts";
import { attribute, isLeftOver, NO_PROCESSES } from "./ownership.ts";
import type { Main } from "./vm.ts";

export type Fencing =
  /** `scannedAt`: since when it is known. */
  | { readonly kind: "clean"; readonly proof: FenceProof; readonly scannedAt: MonotonicMs }
  | { readonly kind: "main_lives"; readonly main: Main }
  | { readonly kind: "blocked"; readonly reason: BlockedReason; readonly detail: string }
  | { readonly kind: "unfenceable"; readonly detail: string }
  | { readonly kind: "abandoned"; readonly detail: string };

export interface FencingOptions {
  /** Undefined: no process of it was known. */
  readonly known: ProcessIdentity | undefined;
  /** The launch whose main is dead. */
  readonly deadIncarnation: number | undefined;
  /** Not before this instant is a scan believed, and then only the second: a launch may have been under way. */
  readonly launchMayLandUntil: MonotonicMs | undefined;
  /** Asked before each signal to what is left. */
  readonly mayGoOn: () => Promise<string | undefined>;
}

/** Scans until nothing is left; more rounds than this mean that something keeps starting processes. */
const ROUNDS_MAX = 4;

export async function fence(world: ActWorld, record: VmRecord, options: FencingOptions): Promise<Fencing> {
  const { clock, launcher } = world.ports;
  let cleanScansNeeded = 1;
  if (options.launchMayLandUntil !== undefined) {
    cleanScansNeeded = 2;
    await sleepUntil(clock, options.launchMayLandUntil, world.signal);
    if (world.signal.aborted) return { kind: "abandoned", detail: "the act was called off" };
  }
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const queue = await launcher.inspect(record.id);
    if (queue.kind === "busy") return { kind: "blocked", reason: "unproven", detail: queue.detail };
    if (queue.kind === "unknown") return { kind: "blocked", reason: "unproven", detail: queue.error };
    const scan = await world.scan();
    if (scan.kind === "unknown") return { kind: "blocked", reason: "unproven", detail: scan.error };
    const processes = attribute([record], scan.processes, world.users).of.get(record.id) ?? NO_PROCESSES;
    const { owned, lookalikes } = processes;
    const mains = processes.mains.filter((facts) => !isLeftOver(facts, options.deadIncarnation));
    const [main] = mains;
    if (mains.length > 1) {
      const pids = mains.map((facts) => facts.identity.pid).join(", ");
      return { kind: "blocked", reason: "duplicate", detail: `mains ${pids}` };
    }
    const leader = [...mains, ...owned].find((facts) => facts.state === "Z" || facts.state === "X");
    if (leader !== undefined) return { kind: "unfenceable", detail: zombieLeader(leader) };
    if (main !== undefined) return { kind: "main_lives", main: mainOf(main, record, clock.monotonic()) };
    const [lookalike] = lookalikes;
    if (lookalike !== undefined) {
      const detail = `pid ${lookalike.identity.pid} (${lookalike.exe}, uid ${lookalike.uid})`;
      return { kind: "blocked", reason: "lookalike", detail };
    }
    if (owned.length === 0) {
      cleanScansNeeded -= 1;
      if (cleanScansNeeded > 0) continue;
      const proof = options.known === undefined ? "none_found" : "exited";
      return { kind: "clean", proof, scannedAt: scan.startedAt };
    }
    for (const remnant of owned) {
      const failed = notEnded(await endProcess(world.ports, remnant.identity, options.mayGoOn));
      if (failed !== undefined) return failed;
    }
  }
  return { kind: "blocked", reason: "unproven", detail: "processes of it keep appearing" };
}

/** What an ending that did not end means for the whole; undefined when the process is dead. */
export function notEnded(ending: Ending): Exclude<Fencing, { kind: "clean" | "main_lives" }> | undefined {
  switch (ending.kind) {
    case "dead":
      return undefined;
    case "no_permission":
      return { kind: "blocked", reason: "no_permission", detail: ending.detail };
    case "unknown":
      return { kind: "blocked", reason: "unproven", detail: ending.detail };
    default:
      return ending;
  }
}

function zombieLeader(facts: ProcessFacts): string {
  return `pid ${facts.identity.pid} has ended, ${facts.liveTasks} other tasks of it live on`;
}

/** A process as the main of a VM, with what it was started from as far as it bears our mark. */
export function mainOf(facts: ProcessFacts, record: VmRecord, now: MonotonicMs): Main {
  return {
    identity: facts.identity,
    launchedByUs: facts.vmId === record.id,
    incarnation: facts.vmId === record.id ? facts.incarnation : undefined,
    startedAt: after(now, -facts.ageMs),
    runsWith: {
      vmm: record.vmm,
      socket: record.socket,
      launchHash: facts.launchHash ?? record.launchHash,
    },
  };
}
