/**
 * What a probe says of a VM: health, suspicion, or its VMM's own word.
 *
 * Pure.
 * @module
 */

import type { ProbeFailure, ProbeResult } from "../domain/probe_result.ts";
import { sameProcess } from "../domain/process.ts";
import { after } from "../domain/time.ts";
import { unreachable } from "../domain/unreachable.ts";
import type { GuestState } from "../domain/vmm.ts";
import { CLEAN_SHEET, recordFailure, recordSuccess, recordUnknown } from "../health/vm_health.ts";
import { block, unfenceable } from "./blocking.ts";
import type { Draft } from "./draft.ts";
import { leaveExited, reportOrphan } from "./loss.ts";
import type { Observation } from "./observation.ts";
import { forceForbiddenBy, provesNoGuest, restartsAfter, suspicionOf } from "./orphan.ts";
import { sawDead, sawZombieLeader } from "./saw_processes.ts";
import type { Main } from "./vm.ts";
import { isPhase } from "./vm.ts";
import { endFailedAttempt, enterWaiting, failOpenAttempt } from "./waiting.ts";

export function probed(draft: Draft, probe: Extract<Observation, { type: "probed" }>): void {
  const { situation, vm } = draft;
  const { record, now } = situation;
  const { main } = vm;
  // Health belongs to a process: the answer of another one says nothing about this.
  if (main === undefined || !sameProcess(main.identity, probe.identity)) return;
  if (isPhase(vm, "fencing", "starting")) return;
  const { result } = probe;
  switch (result.kind) {
    case "success":
      report(draft, "success", probe.durationMs);
      sawSuccess(draft);
      return;
    case "failure":
      report(draft, "failure", probe.durationMs);
      draft.set({ lastSeenAt: now });
      sawFailure(draft, main, result, probe.durationMs);
      return;
    case "unknown": {
      report(draft, "unknown", probe.durationMs);
      const unknown = recordUnknown(vm.health, `${result.layer}: ${result.error}`);
      draft.set({ health: unknown.health });
      if (unknown.changed) {
        draft.report({ type: "probe_unknown", vmId: record.id, layer: result.layer, error: result.error });
      }
      return;
    }
    case "dead":
      sawDead(draft, {
        kind: "dead",
        exit: undefined,
        socketServed: false,
        remnants: 0,
        evidence: `process ${main.identity.pid} is gone`,
        detect: "sweep",
        detectionDelayMs: vm.lastSeenAt === undefined ? undefined : now - vm.lastSeenAt,
      });
      return;
    case "zombie_leader":
      sawZombieLeader(draft, main, result.liveTasks);
      return;
    case "guest":
      report(draft, outcomeOf(result.state), probe.durationMs);
      draft.set({ lastSeenAt: now });
      sawGuestState(draft, main, result);
      return;
    default:
      unreachable(result);
  }
}

/** A guest that is neither here nor gone (migrating, saving) was not seen well, and not seen ill. */
function outcomeOf(state: GuestState): "success" | "failure" | "unknown" {
  if (provesNoGuest(state)) return "failure";
  return state === "busy" ? "unknown" : "success";
}

export function report(draft: Draft, outcome: "success" | "failure" | "unknown", durationMs: number): void {
  draft.report({ type: "probe_finished", vmId: draft.situation.record.id, outcome, durationMs });
}

function sawSuccess(draft: Draft): void {
  const { situation, vm } = draft;
  const { now, record, recovery } = situation;
  const { health, restoredAfterMs } = recordSuccess(vm.health, now, situation.health);
  draft.set({ health, lastSeenAt: now, noGuestCount: 0 });
  // Without health checks a verdict that was in force is dropped: that the process lives restores no health.
  if (restoredAfterMs !== undefined && situation.health.enabled) {
    draft.report({
      type: "health_restored",
      vmId: record.id,
      consecutiveSuccesses: health.consecutiveSuccesses,
      downtimeMs: restoredAfterMs,
    });
  }
  // A stop that the guest ignored stays blocked although the guest is well.
  if (health.unhealthy || isPhase(vm, "stopping") || record.desired === "stopped") return;
  if (vm.phase.name === "blocked" && vm.phase.reason === "duplicate") return;
  becomeHealthy(draft);
  const stableSince = draft.vm.healthySince;
  const { attempts, endingMain } = draft.vm;
  if (!(attempts > 0 || endingMain) || stableSince === undefined) return;
  if (now >= after(stableSince, recovery.stableAfterMs)) draft.set({ attempts: 0, endingMain: false });
}

/** Seen healthy: this, and not the launch, ends a recovery. */
export function becomeHealthy(draft: Draft): void {
  const { situation, vm } = draft;
  const { now, record } = situation;
  const { main, openAttempt, loss } = vm;
  if (main !== undefined && openAttempt !== undefined) {
    const ofProcess = { vmId: record.id, vmm: main.runsWith.vmm, process: main.identity };
    const since = loss?.at ?? openAttempt.startedAt;
    if (!openAttempt.recovery || loss?.reason === undefined) {
      // A first start that succeeded is no recovery: should the VM die now, the first attempt to recover it is immediate.
      draft.set({ attempts: 0 });
      draft.report({ type: "vm_started", ...ofProcess, attempt: openAttempt.attempt, durationMs: now - since });
    } else {
      draft.report({
        type: "recovery_successful",
        ...ofProcess,
        attempt: openAttempt.attempt,
        reason: loss.reason,
        incarnation: vm.incarnation,
        totalDurationMs: now - since,
        guestMemory: "lost",
      });
    }
  } else if (loss?.reason === "guest_not_running") {
    draft.report({
      type: "health_restored",
      vmId: record.id,
      consecutiveSuccesses: vm.health.consecutiveSuccesses,
      downtimeMs: now - loss.at,
    });
  }
  draft.endLoss();
  draft.set({
    openAttempt: undefined,
    healthySince: vm.healthySince ?? now,
    notBefore: undefined,
    exitedForContent: undefined,
    forgiveFailure: false,
    saidPaused: false,
  });
  draft.enter({ name: "healthy", since: now });
}

function sawFailure(draft: Draft, main: Main, failure: ProbeFailure, durationMs: number): void {
  const { situation, vm } = draft;
  const { now, record } = situation;
  draft.set({ noGuestCount: 0 });
  // A booting VM is not judged; neither is one that is being shut down, nor one whose bystanders are to be sorted out first.
  if (isPhase(vm, "stopping", "stopped") || now < after(main.startedAt, situation.health.startGraceMs)) return;
  const { health, verdict } = recordFailure(vm.health, now, situation.health);
  draft.set({ health, healthySince: undefined });
  // What keeps it from being stopped is said already.
  if (record.desired !== "stopped") draft.set({ why: failure.error });
  if (!vm.health.unhealthy) {
    draft.report({
      type: "health_check_failed",
      vmId: record.id,
      layer: failure.layer,
      failureCount: health.consecutiveFailures,
      threshold: situation.health.failureThreshold,
      error: failure.error,
      durationMs,
    });
  }
  if (verdict) {
    draft.report({
      type: "marked_unhealthy",
      vmId: record.id,
      consecutiveFailures: health.consecutiveFailures,
      threshold: situation.health.failureThreshold,
      layer: failure.layer,
    });
    if (record.desired !== "stopped") {
      // A recovery that goes on became a suspicion: what may be done about it follows from that.
      if (vm.loss?.reason === undefined)
        reportOrphan(draft, suspicionOf(failure), failure.error, main, "sweep", undefined);
      else draft.set({ loss: { ...vm.loss, reason: suspicionOf(failure) } });
    }
  }
  if (record.desired === "stopped") return;
  if (vm.phase.name === "blocked" && vm.phase.reason === "duplicate") return;
  if (!health.unhealthy) {
    // What waits for its next attempt goes on waiting: a single miss must not put that off.
    if (!isPhase(vm, "orphaned", "backing_off", "failed", "unfenceable")) draft.enter({ name: "suspect", since: now });
    return;
  }
  suspicionStands(draft, failure);
}

/** The verdict is in: either force is permitted, or the VM is blocked and the line says what would change that. */
function suspicionStands(draft: Draft, failure: ProbeFailure): void {
  const { situation } = draft;
  const { record, recovery } = situation;
  if (record.launch === undefined || record.desired === "paused") {
    block(draft, record.launch === undefined ? "no_launch" : "desired_paused", failure.error, undefined);
    return;
  }
  if (failure.processState === "D") {
    unfenceable(draft, `its process is in uninterruptible sleep; ${failure.error}`);
    return;
  }
  const forbidden = forceForbiddenBy(failure, recovery.allowDataLoss);
  if (forbidden !== undefined) {
    block(draft, forbidden, failure.error, undefined);
    return;
  }
  // It waits already; or an act was turned down (no forced stop left) and waits for its own recheck.
  const { phase } = draft.vm;
  if (isPhase(draft.vm, "orphaned", "backing_off", "failed")) return;
  if (phase.name === "blocked" && phase.recheckAt !== undefined) return;
  if (draft.vm.openAttempt !== undefined) endFailedAttempt(draft, "timeout", "it was never seen healthy");
  else enterWaiting(draft);
}

function sawGuestState(draft: Draft, main: Main, result: Extract<ProbeResult, { kind: "guest" }>): void {
  const { situation, vm } = draft;
  const { now, record } = situation;
  if (isPhase(vm, "stopping")) return;
  const { state } = result;
  if (provesNoGuest(state)) {
    sawNoGuest(draft, main, result);
    return;
  }
  draft.set({ noGuestCount: 0 });
  if (state === "busy") return;
  if (state === "migrated") {
    draft.set({ migratedForContent: record.contentHash, healthySince: undefined });
    if (record.desired === "stopped") return;
    block(draft, "migrated", `its VMM says ${result.raw}`, undefined);
    return;
  }
  if (record.desired === "stopped") return;
  // Somebody's snapshot, a debugger, or a failing disk: restarting is the wrong cure.
  const name = state === "io_error" ? "paused_io" : "paused";
  const silent = name === "paused" && (record.desired === "paused" || situation.leased);
  // Said when it begins, or when what excused it is over.
  const isNew = vm.phase.name !== name || !vm.saidPaused;
  if (isNew && !silent) draft.report({ type: "vm_paused", vmId: record.id, ioError: name === "paused_io" });
  // An answer of the API is no success of a guest: a verdict that stands is lifted by successes, as ever.
  const health = vm.health.unhealthy ? { ...vm.health, consecutiveSuccesses: 0 } : CLEAN_SHEET;
  draft.set({ health, healthySince: undefined, saidPaused: !silent, why: `its VMM says ${result.raw}` });
  draft.enter({ name, since: now });
}

/** The VMM lives and says that no guest runs in it. */
function sawNoGuest(draft: Draft, main: Main, result: Extract<ProbeResult, { kind: "guest" }>): void {
  const { situation, vm } = draft;
  const { now, record } = situation;
  if (record.desired === "stopped" || isPhase(vm, "stopped")) return;
  if (vm.phase.name === "blocked" && vm.phase.reason === "duplicate") return;
  // While it boots, or while somebody is at work on it, an empty VMM is what one expects.
  if (situation.leased || now < after(main.startedAt, situation.health.startGraceMs)) return;
  draft.set({ noGuestCount: vm.noGuestCount + 1, healthySince: undefined });
  if (draft.vm.noGuestCount < NO_GUEST_PROOF_COUNT) {
    if (isPhase(vm, "healthy", "verifying", "paused", "paused_io")) draft.enter({ name: "suspect", since: now });
    return;
  }
  const evidence = `its VMM says ${result.raw}`;
  if (result.state === "shut_down" && !restartsAfter({ code: 0, signal: undefined }, record.restart)) {
    failOpenAttempt(draft, "guest_not_running", evidence, 0);
    leaveExited(draft, main.identity, 0);
    return;
  }
  const waits =
    isPhase(vm, "orphaned", "backing_off", "failed", "unfenceable") ||
    (vm.phase.name === "blocked" && vm.phase.recheckAt !== undefined);
  if (vm.loss?.reason === "guest_not_running" && waits) return;
  if (vm.openAttempt !== undefined) {
    endFailedAttempt(draft, "guest_not_running", evidence);
    draft.set({ loss: { reason: "guest_not_running", at: vm.loss?.at ?? now, proven: true } });
    return;
  }
  if (vm.loss?.proven === true) draft.set({ loss: { ...vm.loss, reason: "guest_not_running" } });
  else reportOrphan(draft, "guest_not_running", evidence, main, "sweep", undefined);
  // What somebody else launched may be empty on purpose: its word is no proof for us.
  if (!main.launchedByUs) block(draft, "foreign_vmm", evidence, undefined);
  else enterWaiting(draft);
}

const NO_GUEST_PROOF_COUNT = 2;
