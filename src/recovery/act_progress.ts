/**
 * How an act on a VM gets on, and what its outcome means.
 *
 * Pure.
 * @module
 */

import { sameProcess } from "../domain/process.ts";
import { after } from "../domain/time.ts";
import { unreachable } from "../domain/unreachable.ts";
import { CLEAN_SHEET, recordSuccess } from "../health/vm_health.ts";
import { block, unfenceable } from "./blocking.ts";
import type { Draft } from "./draft.ts";
import { leaveExited } from "./loss.ts";
import { adopt, forgetMain, startMonitoring, stopMonitoring } from "./monitoring.ts";
import type { Observation, RestartOutcome, StopOutcome } from "./observation.ts";
import { restartsAfter } from "./orphan.ts";
import { becomeHealthy } from "./saw_probe.ts";
import { endFailedAttempt, enterWaiting, failOpenAttempt, forgive, notToBeStarted, pause, resume } from "./waiting.ts";

export function restartBegan(draft: Draft): void {
  const { situation, vm } = draft;
  const { now, record, recovery } = situation;
  const attempt = vm.attempts + 1;
  draft.set({ forgiveFailure: false });
  draft.enter({ name: "fencing", since: now });
  // A blocked VM is looked at again and again: only the first look of an attempt is news.
  const reason = vm.loss?.reason;
  if (vm.saidStarting === attempt || reason === undefined) return;
  draft.set({ saidStarting: attempt });
  draft.report({ type: "recovery_starting", vmId: record.id, reason, attempt, maxRetries: recovery.maxRetries });
}

export function attemptBegan(draft: Draft, began: Extract<Observation, { type: "attempt_began" }>): void {
  const { now, record } = draft.situation;
  const { attempt, incarnation } = began;
  stopMonitoring(draft);
  failOpenAttempt(draft, "abandoned", "its end was not seen", 0);
  draft.set({
    attempts: attempt,
    incarnation,
    ranThisBoot: true,
    deadIncarnation: undefined,
    openAttempt: { attempt, recovery: draft.vm.loss?.reason !== undefined, startedAt: now },
    forgiveFailure: false,
    saidBlocked: undefined,
    rememberedRetryAt: undefined,
  });
  draft.enter({ name: "starting", since: now });
  const reason = draft.vm.loss?.reason;
  if (reason === undefined) draft.report({ type: "vm_starting", vmId: record.id, attempt });
  else draft.report({ type: "recovery_attempting", vmId: record.id, attempt, reason, action: "restart" });
}

export function restartEnded(draft: Draft, outcome: RestartOutcome): void {
  const { situation, vm } = draft;
  const { now, recovery } = situation;
  switch (outcome.kind) {
    case "healthy":
      if (vm.main === undefined || !sameProcess(vm.main.identity, outcome.main.identity))
        draft.set({ main: outcome.main });
      startMonitoring(draft, outcome.main);
      draft.set({ health: recordSuccess(CLEAN_SHEET, now, situation.health).health, lastSeenAt: now });
      becomeHealthy(draft);
      return;
    case "slow":
      // Its attempt stays open: the next probe that succeeds makes it a success, its death a failure.
      draft.set({ main: outcome.main, health: CLEAN_SHEET, why: "not seen healthy before start_timeout" });
      startMonitoring(draft, outcome.main);
      draft.enter({ name: "suspect", since: now });
      return;
    case "found":
      adopt(draft, outcome.main);
      return;
    case "well_again":
      draft.enter({ name: "suspect", since: now });
      return;
    case "attempt_failed":
      forgetMain(draft);
      if (outcome.exit !== undefined) {
        draft.set({ deadIncarnation: vm.incarnation, lostProcess: outcome.exit.process });
      }
      if (
        outcome.exit !== undefined &&
        !vm.forgiveFailure &&
        !restartsAfter(outcome.exit.status, situation.record.restart)
      ) {
        failOpenAttempt(draft, outcome.cause, outcome.error, 0);
        leaveExited(draft, outcome.exit.process, outcome.exit.status?.code);
        return;
      }
      endFailedAttempt(draft, outcome.cause, outcome.error);
      if (outcome.cause === "abandoned") pause(draft);
      if (outcome.blocked !== undefined && situation.record.desired === "running") {
        block(draft, outcome.blocked.reason, outcome.blocked.detail, after(now, recovery.retryIntervalMs));
      }
      return;
    case "blocked":
      forgive(draft);
      if (vm.main === undefined && notToBeStarted(situation)) enterWaiting(draft);
      else block(draft, outcome.reason, outcome.detail, after(now, recovery.retryIntervalMs));
      return;
    case "unfenceable":
      forgive(draft);
      if (vm.main === undefined && notToBeStarted(situation)) enterWaiting(draft);
      else unfenceable(draft, outcome.detail);
      return;
    case "abandoned":
      forgive(draft);
      resume(draft, outcome.detail);
      return;
    default:
      unreachable(outcome);
  }
}

export function stopEnded(draft: Draft, outcome: StopOutcome): void {
  const { situation, vm } = draft;
  const { now, record, recovery } = situation;
  switch (outcome.kind) {
    case "stopped": {
      const process = vm.main?.identity;
      stopMonitoring(draft);
      failOpenAttempt(draft, "abandoned", "it was to be stopped", 0);
      draft.endLoss();
      draft.set({ attempts: 0, deadIncarnation: vm.main?.incarnation });
      draft.enter({ name: "stopped", since: now });
      draft.report({
        type: "vm_stopped",
        vmId: record.id,
        vmm: vm.main?.runsWith.vmm ?? record.vmm,
        process,
        durationMs: outcome.durationMs,
      });
      return;
    }
    case "blocked":
      block(draft, outcome.reason, outcome.detail, after(now, recovery.rearmIntervalMs));
      return;
    case "unfenceable":
      unfenceable(draft, outcome.detail);
      return;
    case "abandoned":
      pause(draft);
      // A guest that was asked may still go; only once it was well for long is its end its own again.
      draft.set({ why: outcome.detail, healthySince: undefined });
      draft.enter({ name: "verifying", since: now });
      return;
    default:
      unreachable(outcome);
  }
}
