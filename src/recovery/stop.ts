/**
 * Carries out a desired stop: asks the guest, waits, and uses force only where the operator permits it.
 *
 * A program without a guest (`process`) is asked by SIGTERM. A guest that ignores the request keeps running unless its record says
 * `"stop": "force"` or allows loss: losing data is the operator's decision.
 * @module
 */

import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import type { VmRecord } from "../domain/vm_record.ts";
import type { ShutdownRequest } from "../ports/vmm.ts";
import type { ActSubject, ActWorld } from "./act.ts";
import { diesWithin, endOfVm } from "./end_process.ts";
import { fence, mainIsAlone, notEnded } from "./fence.ts";
import type { StopOutcome } from "./observation.ts";
import type { Main } from "./vm.ts";

const QUESTION_TIMEOUT_MS = 5_000;
const ASK_AGAIN_MS = 5_000;

export interface StopSubject extends ActSubject {
  readonly main: Main;
}

export async function stop(subject: StopSubject, world: ActWorld): Promise<StopOutcome> {
  const { clock } = world.ports;
  const startedAt = clock.monotonic();
  const intent = await world.freshIntent("stopped");
  if (intent.kind === "no") return { kind: "abandoned", detail: intent.detail };
  const { record } = intent;
  const objection = async () => {
    if (world.signal.aborted) return "the act was called off";
    const again = await world.freshIntent("stopped");
    return again.kind === "no" ? again.detail : undefined;
  };
  return (
    (await endMain(subject.main, record, world, objection)) ??
    (await endUnit(record, world, objection)) ??
    (await endRest(subject, record, world, objection, startedAt))
  );
}

/** A unit whose main process has ended may be started again by its own manager, so it is stopped as well. */
async function endUnit(
  record: VmRecord,
  world: ActWorld,
  objection: () => Promise<string | undefined>,
): Promise<StopOutcome | undefined> {
  if (record.launch?.kind !== "unit") return undefined;
  const refused = await objection();
  if (refused !== undefined) return { kind: "abandoned", detail: refused };
  const stopped = await world.ports.launcher.stopUnit(record.launch.unit);
  return stopped.kind === "failed" ? { kind: "blocked", reason: "unproven", detail: stopped.error } : undefined;
}

async function endMain(
  main: Main,
  record: VmRecord,
  world: ActWorld,
  objection: () => Promise<string | undefined>,
): Promise<StopOutcome | undefined> {
  const { ports } = world;
  const alone = await mainIsAlone(world, record, main);
  if (alone !== undefined) return alone;
  world.observe({ type: "ending_main" });
  const { recovery } = world.policyFor(record);
  const { vmm, socket } = main.runsWith;
  // Another one may have been started beside it while it took its time. Intent is read last, as it must be fresh.
  const mayGoOn = async () => (await mainIsAlone(world, record, main))?.detail ?? (await objection());
  if (vmm === "process" || socket === undefined) {
    return notStopped(await endOfVm(ports, record, main.identity, mayGoOn, recovery.shutdownTimeoutMs));
  }
  const target = { id: record.id, vmm, socket };
  const { clock } = ports;
  const until = after(clock.monotonic(), recovery.shutdownTimeoutMs);
  let asked: ShutdownRequest;
  do {
    const refused = await mayGoOn();
    if (refused !== undefined) return { kind: "abandoned", detail: refused };
    // All the time there is: a request that timed out may be read later, and a second one be taken for force.
    asked = await ports.vmm.shutdown(target, Math.max(1, until - clock.monotonic()));
    // A VMM that refused the request may take it a little later; one that took it needs its time.
    const leftMs = Math.max(0, until - clock.monotonic());
    const waitMs = asked.kind === "asked" ? recovery.shutdownTimeoutMs : Math.min(leftMs, ASK_AGAIN_MS);
    if (await diesWithin(ports, main.identity, waitMs, world.signal)) return undefined;
    if (world.signal.aborted) return { kind: "abandoned", detail: "the act was called off" };
  } while (asked.kind === "not_asked" && clock.monotonic() < until);
  // A VMM that stays when its guest has shut down holds nothing any more. One whose guest went to another host may hold the only copy
  // left, should that host fail: whoever moved it knows.
  const answer = await ports.vmm.query(target, QUESTION_TIMEOUT_MS);
  const guestIsDown = answer.kind === "state" && answer.guest === "shut_down";
  if (!guestIsDown && record.stop !== "force" && !recovery.allowDataLoss) {
    const detail =
      asked.kind === "asked" ? `asked ${Math.round(recovery.shutdownTimeoutMs / 1000)} s ago` : asked.error;
    return { kind: "blocked", reason: "ignores_shutdown", detail };
  }
  return notStopped(await endOfVm(ports, record, main.identity, mayGoOn));
}

async function endRest(
  subject: StopSubject,
  record: VmRecord,
  world: ActWorld,
  objection: () => Promise<string | undefined>,
  startedAt: MonotonicMs,
): Promise<StopOutcome> {
  const { clock, hooks, report } = world.ports;
  const fencing = await fence(world, record, {
    known: subject.main.identity,
    deadIncarnation: subject.main.incarnation,
    launchMayLandUntil: undefined,
    mayGoOn: objection,
  });
  if (fencing.kind === "main_lives") return { kind: "abandoned", detail: "another process of it was found" };
  if (fencing.kind !== "clean") return fencing;
  if (record.launch?.kind === "argv") {
    for (const argv of record.launch.afterStop) {
      if ((await objection()) !== undefined) break;
      const { hookTimeoutMs: timeoutMs } = record.launch;
      const done = await hooks.run({ vmId: record.id, hook: "after_stop", argv, timeoutMs });
      if (done.kind === "failed") {
        report({ type: "vm_hook_failed", vmId: record.id, hook: "after_stop", error: done.error });
      }
    }
  }
  return { kind: "stopped", durationMs: clock.monotonic() - startedAt };
}

function notStopped(ending: Awaited<ReturnType<typeof endOfVm>>): StopOutcome | undefined {
  return notEnded(ending);
}
