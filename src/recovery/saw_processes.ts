/**
 * What the processes of a host say of a VM: proof.
 *
 * Pure.
 * @module
 */

import { sameProcess } from "../domain/process.ts";
import { unreachable } from "../domain/unreachable.ts";
import { block, unfenceable } from "./blocking.ts";
import type { Draft } from "./draft.ts";
import { leaveExited, reportOrphan } from "./loss.ts";
import { adopt, stopMonitoring } from "./monitoring.ts";
import type { Look } from "./observation.ts";
import { restartsAfter } from "./orphan.ts";
import type { Main } from "./vm.ts";
import { endFailedAttempt, enterWaiting, failOpenAttempt } from "./waiting.ts";

export function looked(draft: Draft, look: Look): void {
  switch (look.kind) {
    case "running":
      sawRunning(draft, look.main, look.previousMainDead);
      break;
    case "zombie_leader":
      if (draft.vm.main === undefined || !sameProcess(draft.vm.main.identity, look.main.identity)) {
        adopt(draft, look.main);
      }
      sawZombieLeader(draft, look.main, look.liveTasks);
      break;
    case "duplicate":
      block(draft, "duplicate", `mains ${look.mains.map((main) => main.pid).join(", ")}`, undefined);
      break;
    case "dead":
      sawDead(draft, look);
      break;
    default:
      unreachable(look);
  }
}

function sawRunning(draft: Draft, main: Main, previousMainDead: boolean): void {
  const { vm, situation } = draft;
  const known = vm.main;
  if (known !== undefined && sameProcess(known.identity, main.identity)) {
    // Seen alone again, or again as an ordinary process: what blocked it is gone, and probes decide the rest.
    const resolved =
      (vm.phase.name === "blocked" && vm.phase.reason === "duplicate") ||
      (vm.phase.name === "unfenceable" && vm.loss === undefined);
    if (resolved) {
      draft.set({ saidBlocked: undefined, why: undefined });
      draft.enter({ name: "verifying", since: situation.now });
    }
    return;
  }
  // The VMM that a wrapper started outlives it, and goes on with its attempt.
  if (known !== undefined && previousMainDead && main.incarnation !== vm.incarnation) {
    failOpenAttempt(draft, "process_died", "the process ended", 0);
  }
  adopt(draft, main);
}

export function sawZombieLeader(draft: Draft, main: Main, liveTasks: number): void {
  draft.set({ healthySince: undefined });
  unfenceable(draft, `pid ${main.identity.pid} has ended, ${liveTasks} other tasks of it live on`);
}

export function sawDead(draft: Draft, look: Extract<Look, { kind: "dead" }>): void {
  const { situation, vm } = draft;
  const { record, now } = situation;
  const { main } = vm;
  const news =
    main !== undefined ||
    (vm.phase.name === "pending" && !vm.phase.looked) ||
    (vm.phase.name === "blocked" && vm.phase.reason === "duplicate");
  if (!news) return;
  const ran = vm.ranThisBoot || look.remnants > 0;
  draft.set({ ranThisBoot: ran, deadIncarnation: main?.incarnation ?? vm.deadIncarnation });
  if (main !== undefined) draft.set({ lostProcess: main.identity });
  stopMonitoring(draft);

  if (record.desired === "stopped") {
    failOpenAttempt(draft, "abandoned", "it was to be stopped", 0);
    draft.endLoss();
    draft.enter({ name: "stopped", since: now });
    if (main !== undefined) {
      draft.report({
        type: "vm_stopped",
        vmId: record.id,
        vmm: record.vmm,
        process: main.identity,
        durationMs: vm.phase.name === "stopping" ? now - vm.phase.since : 0,
      });
    }
    return;
  }
  if (vm.exitedForContent === record.contentHash) {
    failOpenAttempt(draft, "process_died", look.evidence, 0);
    draft.endLoss();
    draft.enter({ name: "stopped", since: now });
    return;
  }
  // How a process ended that an act of ours ended says nothing of its own will.
  const exit = vm.endingMain ? undefined : look.exit;
  if (ran && !restartsAfter(exit, record.restart)) {
    failOpenAttempt(draft, "process_died", look.evidence, 0);
    leaveExited(draft, main?.identity, exit?.code);
    return;
  }
  if (!ran) {
    draft.set({ loss: { reason: undefined, at: now, proven: false } });
    enterWaiting(draft);
    return;
  }
  const knownLoss = vm.loss !== undefined && (vm.endingMain || vm.loss.proven || vm.loss.reason === undefined);
  if (!knownLoss) {
    const reason = look.socketServed ? "process_mismatch" : "process_dead";
    reportOrphan(draft, reason, look.evidence, main, look.detect, look.detectionDelayMs);
  }
  if (vm.openAttempt !== undefined) {
    endFailedAttempt(draft, "process_died", look.evidence);
    return;
  }
  enterWaiting(draft);
}
