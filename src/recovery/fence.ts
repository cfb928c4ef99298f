/**
 * Proves that no process of a VM is left, ending what is left of a dead one.
 *
 * The proof is a scan that began after the launcher said that nothing is queued, and that found no main, owned or look-alike process.
 * What cannot be proven is said, and nothing is started.
 * @module
 */

import { sleep, sleepUntil } from "../async/deadline.ts";
import type { BlockedReason, FenceProof } from "../domain/event.ts";
import type { ProcessFacts, ProcessIdentity } from "../domain/process.ts";
import { sameProcess } from "../domain/process.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import type { VmRecord } from "../domain/vm_record.ts";
import type { ActWorld } from "./act.ts";
import type { Ending } from "./end_process.ts";
import { endOfVm } from "./end_process.ts";
import type { VmProcesses } from "./ownership.ts";
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
const ROUNDS_MAX = 8;
const BUSY_PAUSE_MS = 250;

export async function fence(world: ActWorld, record: VmRecord, options: FencingOptions): Promise<Fencing> {
  const { clock, launcher } = world.ports;
  let cleanScansNeeded = 1;
  if (options.launchMayLandUntil !== undefined) {
    cleanScansNeeded = 2;
    await sleepUntil(clock, options.launchMayLandUntil, world.signal);
    if (world.signal.aborted) return { kind: "abandoned", detail: "the act was called off" };
  }
  let blockedBy = "processes of it keep appearing";
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const queue = await launcher.inspect(record);
    if (queue.kind === "unknown") return { kind: "blocked", reason: "unproven", detail: queue.error };
    // Begun after the launcher was asked, so what a queued job started in between is seen.
    const scan = await world.scan();
    if (scan.kind === "unknown") return { kind: "blocked", reason: "unproven", detail: scan.error };
    const processes = attribute([record], scan.processes, world.users).of.get(record.id) ?? NO_PROCESSES;
    const { owned } = processes;
    const verdict = judge(record, processes, options, clock.monotonic());
    if (verdict !== undefined) return verdict;
    for (const remnant of owned) {
      const failed = notEnded(await endOfVm(world.ports, record, remnant.identity, options.mayGoOn));
      if (failed !== undefined) return failed;
    }
    if (owned.length > 0) continue;
    if (queue.kind === "busy") {
      // A job that is queued may start something yet; a unit whose last process has ended takes a moment to say so.
      blockedBy = queue.detail;
      await sleep(clock, BUSY_PAUSE_MS, world.signal);
      continue;
    }
    cleanScansNeeded -= 1;
    if (cleanScansNeeded > 0) continue;
    const alive = await stillLives(world, options.known);
    if (alive !== undefined) return alive;
    const proof = options.known === undefined ? "none_found" : "exited";
    return { kind: "clean", proof, scannedAt: scan.startedAt };
  }
  return { kind: "blocked", reason: "unproven", detail: blockedBy };
}

/** A main that was known may run under a record that no longer describes it, where no scan would find it. */
async function stillLives(world: ActWorld, known: ProcessIdentity | undefined): Promise<Fencing | undefined> {
  if (known === undefined) return undefined;
  const seen = await world.ports.processTable.inspect(known);
  switch (seen.kind) {
    case "dead":
      return undefined;
    case "zombie_leader":
      return { kind: "unfenceable", detail: `pid ${known.pid} has ended, ${seen.liveTasks} other tasks of it live on` };
    case "alive":
      return { kind: "blocked", reason: "unproven", detail: `pid ${known.pid}, which was its main, lives` };
    default:
      return { kind: "blocked", reason: "unproven", detail: seen.error };
  }
}

/**
 * Why a main process that lives must not be ended: another one lives beside it, or instead of it, or nobody can tell. Undefined: it is
 * the only one, or runs under a record that no longer describes it.
 */
export async function mainIsAlone(
  world: ActWorld,
  record: VmRecord,
  main: Main,
): Promise<Extract<Fencing, { kind: "blocked" | "abandoned" }> | undefined> {
  const scan = await world.scan();
  if (scan.kind === "unknown") return { kind: "blocked", reason: "unproven", detail: scan.error };
  const mains = attribute([record], scan.processes, world.users).of.get(record.id)?.mains ?? [];
  const others = mains.filter((facts) => !sameProcess(facts.identity, main.identity));
  const [other] = others;
  if (other === undefined) return undefined;
  const pids = `${main.identity.pid}, ${others.map((facts) => facts.identity.pid).join(", ")}`;
  if (mains.length === others.length) return { kind: "abandoned", detail: `its main is pid ${other.identity.pid} now` };
  return { kind: "blocked", reason: "duplicate", detail: `mains ${pids}` };
}

/** What a scan says at once; undefined: nothing of it lives but remnants, if any. */
function judge(
  record: VmRecord,
  processes: VmProcesses,
  options: FencingOptions,
  now: MonotonicMs,
): Fencing | undefined {
  const mains = processes.mains.filter((facts) => !isLeftOver(facts, options.deadIncarnation));
  const [main] = mains;
  if (mains.length > 1) {
    const pids = mains.map((facts) => facts.identity.pid).join(", ");
    return { kind: "blocked", reason: "duplicate", detail: `mains ${pids}` };
  }
  const leader = [...mains, ...processes.owned].find((facts) => facts.state === "Z" || facts.state === "X");
  if (leader !== undefined) return { kind: "unfenceable", detail: zombieLeader(leader) };
  if (main !== undefined) return { kind: "main_lives", main: mainOf(main, record, now) };
  const [lookalike] = processes.lookalikes;
  if (lookalike === undefined) return undefined;
  const detail = `pid ${lookalike.identity.pid} (${lookalike.exe}, uid ${lookalike.uid})`;
  return { kind: "blocked", reason: "lookalike", detail };
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
