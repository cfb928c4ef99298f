/**
 * The life of one VM as a pure function: what is seen turns one state into the next, and into what is to be reported.
 *
 *     pending -> starting -> verifying -> healthy -> suspect -> orphaned -> (backing_off) -> fencing -> starting -> ...
 *
 * What is to be done follows from the state alone (`work_wanted.ts`), so that a missed event can delay an act and never lose it.
 * Acts are carried out elsewhere (`restart.ts`, `stop.ts`) and come back here as what they saw.
 * @module
 */

import type {
  AttemptFailure,
  BlockedReason,
  DetectionSource,
  OrphanReason,
  ReliabilityEvent,
} from "../domain/event.ts";
import type { ProbeFailure, ProbeResult } from "../domain/probe_result.ts";
import type { ProcessIdentity } from "../domain/process.ts";
import { sameProcess } from "../domain/process.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import { unreachable } from "../domain/unreachable.ts";
import { CLEAN_SHEET, recordFailure, recordSuccess, recordUnknown } from "../health/vm_health.ts";
import type { ExitStatus } from "../ports/launcher.ts";
import { jittered, retryDelayMs } from "./backoff.ts";
import { forceForbiddenBy, isSuspicion, provesNoGuest, remedyFor, restartsAfter, suspicionOf } from "./orphan.ts";
import type { Main, Phase, Situation, Vm } from "./vm.ts";
import { isPhase } from "./vm.ts";

/** What a look at the host showed of a VM on which no act is under way. */
export type Look =
  | { readonly kind: "running"; readonly main: Main; readonly previousMainDead: boolean }
  | { readonly kind: "zombie_leader"; readonly main: Main; readonly liveTasks: number }
  | { readonly kind: "duplicate"; readonly mains: readonly ProcessIdentity[] }
  /**
   * No main process lives. `socketServed`: somebody else answers at its socket. `exit` and `evidence` tell of the main that was known;
   * `remnants` counts owned processes that are left.
   */
  | {
      readonly kind: "dead";
      readonly exit: ExitStatus | undefined;
      readonly socketServed: boolean;
      readonly remnants: number;
      readonly evidence: string;
      readonly detect: DetectionSource;
      readonly detectionDelayMs: number | undefined;
    };

/** What a restart came to. */
export type RestartOutcome =
  | { readonly kind: "healthy"; readonly main: Main }
  /** It lives and was not seen healthy before the slot had to be released. */
  | { readonly kind: "slow"; readonly main: Main }
  /** Somebody else runs it already. */
  | { readonly kind: "found"; readonly main: Main }
  /** The last look before force showed a healthy VM. */
  | { readonly kind: "well_again" }
  | { readonly kind: "attempt_failed"; readonly cause: AttemptFailure; readonly error: string }
  | { readonly kind: "blocked"; readonly reason: BlockedReason; readonly detail: string }
  | { readonly kind: "unfenceable"; readonly detail: string }
  /** Nothing was done: intent changed or could not be read, the host shuts down, the brake engaged, the agent stops. */
  | { readonly kind: "abandoned"; readonly detail: string };

/** What carrying out a desired stop came to. */
export type StopOutcome =
  | { readonly kind: "stopped"; readonly durationMs: number }
  | { readonly kind: "blocked"; readonly reason: BlockedReason; readonly detail: string }
  | { readonly kind: "unfenceable"; readonly detail: string }
  | { readonly kind: "abandoned"; readonly detail: string };

export type Observation =
  | { readonly type: "looked"; readonly look: Look }
  | {
      readonly type: "probed";
      readonly identity: ProcessIdentity;
      readonly result: ProbeResult;
      readonly durationMs: number;
    }
  /** The record in the situation is new; `changed` names the parts with which a running VM was started. */
  | { readonly type: "record_changed"; readonly contentChanged: boolean; readonly changed: readonly string[] }
  | { readonly type: "restart_began" }
  | { readonly type: "attempt_began"; readonly attempt: number; readonly incarnation: number }
  | { readonly type: "launched"; readonly main: Main }
  | { readonly type: "restart_ended"; readonly outcome: RestartOutcome }
  | { readonly type: "stop_began" }
  | { readonly type: "stop_ended"; readonly outcome: StopOutcome };

export interface Step {
  readonly vm: Vm;
  readonly events: readonly ReliabilityEvent[];
}

/** How long an act waits after it found its intent withdrawn or unreadable, so that it does not spin. */
const ABANDONED_PAUSE_MS = 1_000;
const NO_GUEST_PROOF_COUNT = 2;

export function nextVm(vm: Vm, observation: Observation, situation: Situation): Step {
  const draft = new Draft(vm, situation);
  switch (observation.type) {
    case "looked":
      looked(draft, observation.look);
      break;
    case "probed":
      probed(draft, observation);
      break;
    case "record_changed":
      recordChanged(draft, observation);
      break;
    case "restart_began":
      restartBegan(draft);
      break;
    case "attempt_began":
      stopMonitoring(draft);
      draft.set({
        attempts: observation.attempt,
        incarnation: observation.incarnation,
        ranThisBoot: true,
        openAttempt: { attempt: observation.attempt, startedAt: situation.now },
        saidBlocked: undefined,
      });
      draft.enter({ name: "starting", since: situation.now });
      break;
    case "launched":
      draft.set({ main: observation.main, health: CLEAN_SHEET, noGuestCount: 0 });
      draft.enter({ name: "verifying", since: situation.now });
      break;
    case "restart_ended":
      restartEnded(draft, observation.outcome);
      break;
    case "stop_began":
      draft.enter({ name: "stopping", since: situation.now });
      break;
    case "stop_ended":
      stopEnded(draft, observation.outcome);
      break;
    default:
      return unreachable(observation);
  }
  return { vm: draft.vm, events: draft.events };
}

/** A step in the making. */
class Draft {
  vm: Vm;
  readonly events: ReliabilityEvent[] = [];
  readonly situation: Situation;

  constructor(vm: Vm, situation: Situation) {
    this.vm = vm;
    this.situation = situation;
  }

  set(change: Partial<Vm>): void {
    this.vm = { ...this.vm, ...change };
  }

  /** Enters a phase; staying in one keeps its `since`. */
  enter(phase: Phase): void {
    const since = phase.name === this.vm.phase.name ? this.vm.phase.since : phase.since;
    this.vm = { ...this.vm, phase: { ...phase, since } };
  }

  report(event: ReliabilityEvent): void {
    this.events.push(event);
  }
}

function looked(draft: Draft, look: Look): void {
  switch (look.kind) {
    case "running":
      sawRunning(draft, look.main, look.previousMainDead);
      break;
    case "zombie_leader":
      if (draft.vm.main === undefined || !sameProcess(draft.vm.main.identity, look.main.identity)) {
        adopt(draft, look.main);
      }
      sawZombieLeader(draft, look.liveTasks);
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
  if (known !== undefined && previousMainDead) failOpenAttempt(draft, "process_died", "the process ended", 0);
  adopt(draft, main);
}

/** From now on this process is watched, as it is. It owes nothing to the one before it. */
function adopt(draft: Draft, main: Main): void {
  const { situation, vm } = draft;
  stopMonitoring(draft);
  // What an earlier agent launched, or a shell that we launched turned into, still has to show that its attempt succeeded.
  const attempted = vm.openAttempt !== undefined && main.incarnation === vm.incarnation;
  draft.set({
    main,
    health: CLEAN_SHEET,
    loss: attempted ? vm.loss : undefined,
    openAttempt: attempted ? vm.openAttempt : undefined,
    ranThisBoot: true,
    healthySince: undefined,
    noGuestCount: 0,
    exitedForContent: undefined,
    saidBlocked: undefined,
    why: undefined,
  });
  draft.enter({ name: "verifying", since: situation.now });
  draft.report({ type: "vm_adopted", vmId: situation.record.id, vmm: main.runsWith.vmm, process: main.identity });
  startMonitoring(draft, main);
  if (main.runsWith.launchHash !== situation.record.launchHash) sayDiffers(draft, ["launch"]);
  if (situation.record.desired === "stopped" && situation.record.launch === undefined) {
    block(draft, "no_launch", "desired stopped", undefined);
  }
}

function startMonitoring(draft: Draft, main: Main): void {
  draft.report({
    type: "monitoring_started",
    vmId: draft.situation.record.id,
    vmm: main.runsWith.vmm,
    process: main.identity,
    socketPath: main.runsWith.socket,
    intervalMs: draft.situation.health.intervalMs,
  });
}

function stopMonitoring(draft: Draft): void {
  const { main } = draft.vm;
  if (main === undefined) return;
  draft.report({
    type: "monitoring_stopped",
    vmId: draft.situation.record.id,
    vmm: main.runsWith.vmm,
    process: main.identity,
  });
  draft.set({ main: undefined, health: CLEAN_SHEET, healthySince: undefined, noGuestCount: 0 });
}

function sawZombieLeader(draft: Draft, liveTasks: number): void {
  draft.set({ healthySince: undefined });
  unfenceable(draft, `its leader has ended, ${liveTasks} other tasks of it live on`);
}

function sawDead(draft: Draft, look: Extract<Look, { kind: "dead" }>): void {
  const { situation, vm } = draft;
  const { record, now } = situation;
  const { main } = vm;
  const news =
    main !== undefined ||
    (vm.phase.name === "pending" && !vm.phase.looked) ||
    (vm.phase.name === "blocked" && vm.phase.reason === "duplicate");
  if (!news) return;
  const ran = vm.ranThisBoot || look.remnants > 0;
  draft.set({ ranThisBoot: ran });
  stopMonitoring(draft);

  if (record.desired === "stopped") {
    draft.set({ loss: undefined, openAttempt: undefined, why: undefined });
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
    draft.enter({ name: "stopped", since: now });
    return;
  }
  if (ran && !restartsAfter(look.exit, record.restart)) {
    failOpenAttempt(draft, "process_died", look.evidence, 0);
    leaveExited(draft, main?.identity, look.exit?.code);
    return;
  }
  if (!ran) {
    draft.set({ loss: { reason: undefined, at: now } });
    enterWaiting(draft);
    return;
  }
  if (vm.loss === undefined || (vm.loss.reason !== undefined && isSuspicion(vm.loss.reason))) {
    const reason = look.socketServed ? "process_mismatch" : "process_dead";
    reportOrphan(draft, reason, look.evidence, main, look.detect, look.detectionDelayMs);
  }
  if (vm.openAttempt !== undefined) {
    endFailedAttempt(draft, "process_died", look.evidence);
    return;
  }
  enterWaiting(draft);
}

function reportOrphan(
  draft: Draft,
  reason: OrphanReason,
  evidence: string,
  main: Main | undefined,
  detect: DetectionSource,
  detectionDelayMs: number | undefined,
): void {
  const { situation, vm } = draft;
  const at = vm.loss?.at ?? vm.health.failingSince ?? situation.now;
  draft.set({ loss: { reason, at }, why: evidence });
  draft.report({
    type: "orphan_detected",
    vmId: situation.record.id,
    vmm: main?.runsWith.vmm ?? situation.record.vmm,
    process: main?.identity,
    reason,
    evidence,
    lastSeenAgoMs: vm.lastWellAt === undefined ? undefined : situation.now - vm.lastWellAt,
    downtimeMs: situation.now - at,
    detect,
    detectionDelayMs,
  });
}

/** It ended, and its restart policy leaves it so. */
function leaveExited(draft: Draft, process: ProcessIdentity | undefined, exitCode: number | undefined): void {
  const { record, now } = draft.situation;
  draft.set({ loss: undefined, exitedForContent: record.contentHash, why: undefined });
  draft.enter({ name: "stopped", since: now });
  draft.report({ type: "vm_exited", vmId: record.id, vmm: record.vmm, process, exitCode });
}

/**
 * Puts a VM that is to be started where its attempts belong: at once, after a wait, or behind the breaker. Where it may not be started
 * it is blocked, which says why.
 */
function enterWaiting(draft: Draft): void {
  const { situation, vm } = draft;
  const { now, record, recovery } = situation;
  if (record.desired === "stopped") {
    draft.set({ loss: undefined, saidBlocked: undefined, why: undefined });
    draft.enter({ name: "stopped", since: now });
  } else if (record.launch === undefined) {
    block(draft, "no_launch", "it does not run", undefined);
  } else if (record.desired === "paused") {
    block(draft, "desired_paused", "it does not run", undefined);
  } else if (vm.migratedForContent === record.contentHash) {
    block(draft, "migrated", "it does not run", undefined);
  } else if (vm.attempts >= recovery.maxRetries) {
    openBreaker(draft, vm.why ?? "it ended after each attempt");
  } else if (vm.attempts > 0) {
    const delayMs = retryDelayMs(vm.attempts + 1, recovery, situation.chance);
    draft.enter({ name: "backing_off", since: now, retryAt: vm.rememberedRetryAt ?? after(now, delayMs) });
    draft.set({ rememberedRetryAt: undefined });
  } else {
    draft.enter(attemptsWait(vm, now));
  }
}

function openBreaker(draft: Draft, error: string): void {
  const { now, record, recovery } = draft.situation;
  const retryAt = draft.vm.rememberedRetryAt ?? after(now, rearmDelayMs(draft));
  draft.enter({ name: "failed", since: now, retryAt });
  draft.set({ rememberedRetryAt: undefined });
  draft.report({
    type: "recovery_exhausted",
    vmId: record.id,
    attempts: draft.vm.attempts,
    error,
    rearmIntervalMs: recovery.rearmIntervalMs,
  });
}

/** Jittered only upwards: one attempt per interval, never more. */
function rearmDelayMs(draft: Draft): number {
  const { chance, recovery } = draft.situation;
  return jittered(recovery.rearmIntervalMs, recovery.jitter, (1 + chance) / 2);
}

/** Closes an announced attempt whose VM was lost before it was seen healthy, without deciding what comes next. */
function failOpenAttempt(draft: Draft, cause: AttemptFailure, error: string, retryDelay: number): void {
  const { situation, vm } = draft;
  if (vm.openAttempt === undefined) return;
  draft.set({ openAttempt: undefined, why: error });
  draft.report({
    type: "attempt_failed",
    vmId: situation.record.id,
    recovery: vm.loss?.reason !== undefined,
    attempt: vm.openAttempt.attempt,
    maxRetries: situation.recovery.maxRetries,
    cause,
    error,
    durationMs: situation.now - vm.openAttempt.startedAt,
    retryDelayMs: retryDelay,
  });
}

/** Closes an attempt, and waits for the next one. */
function endFailedAttempt(draft: Draft, cause: AttemptFailure, error: string): void {
  const { situation } = draft;
  if (cause === "abandoned") {
    // Not the VM's fault: it keeps its number for the next attempt.
    draft.set({ attempts: Math.max(0, draft.vm.attempts - 1) });
  }
  const failing = draft.vm.openAttempt;
  draft.set({ openAttempt: undefined, why: error });
  const waiting = new Draft(draft.vm, situation);
  enterWaiting(waiting);
  draft.set({ openAttempt: failing });
  const { phase } = waiting.vm;
  const retryAt = phase.name === "backing_off" || phase.name === "failed" ? phase.retryAt : situation.now;
  failOpenAttempt(draft, cause, error, retryAt - situation.now);
  draft.vm = { ...waiting.vm, openAttempt: undefined };
  for (const event of waiting.events) draft.report(event);
}

function probed(draft: Draft, probe: Extract<Observation, { type: "probed" }>): void {
  const { situation, vm } = draft;
  const { record, now } = situation;
  const { main } = vm;
  // Health belongs to a process: the answer of another one says nothing about this.
  if (main === undefined || !sameProcess(main.identity, probe.identity)) return;
  if (isPhase(vm, "fencing", "starting", "stopped")) return;
  const { result } = probe;
  switch (result.kind) {
    case "success":
      report(draft, "success", probe.durationMs);
      sawSuccess(draft);
      return;
    case "failure":
      report(draft, "failure", probe.durationMs);
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
        detectionDelayMs: vm.lastWellAt === undefined ? undefined : now - vm.lastWellAt,
      });
      return;
    case "zombie_leader":
      sawZombieLeader(draft, result.liveTasks);
      return;
    case "guest":
      report(draft, "success", probe.durationMs);
      sawGuestState(draft, main, result);
      return;
    default:
      unreachable(result);
  }
}

function report(draft: Draft, outcome: "success" | "failure" | "unknown", durationMs: number): void {
  draft.report({ type: "probe_finished", vmId: draft.situation.record.id, outcome, durationMs });
}

function sawSuccess(draft: Draft): void {
  const { situation, vm } = draft;
  const { now, record, recovery } = situation;
  const { health, restoredAfterMs } = recordSuccess(vm.health, now, situation.health);
  draft.set({ health, lastWellAt: now, noGuestCount: 0 });
  if (isPhase(vm, "stopping")) return;
  // A stop that the guest ignored stays blocked although the guest is well.
  if (record.desired === "stopped") return;
  if (restoredAfterMs !== undefined) {
    draft.report({
      type: "health_restored",
      vmId: record.id,
      consecutiveSuccesses: health.consecutiveSuccesses,
      downtimeMs: restoredAfterMs,
    });
  }
  if (health.unhealthy) return;
  if (vm.phase.name === "blocked" && vm.phase.reason === "duplicate") return;
  becomeHealthy(draft);
  const stableSince = draft.vm.healthySince;
  if (draft.vm.attempts > 0 && stableSince !== undefined && now >= after(stableSince, recovery.stableAfterMs)) {
    draft.set({ attempts: 0 });
  }
}

/** Seen healthy: this, and not the launch, ends a recovery. */
function becomeHealthy(draft: Draft): void {
  const { situation, vm } = draft;
  const { now, record } = situation;
  const { main, openAttempt, loss } = vm;
  if (main !== undefined && openAttempt !== undefined) {
    const ofProcess = { vmId: record.id, vmm: main.runsWith.vmm, process: main.identity };
    const since = loss?.at ?? openAttempt.startedAt;
    if (loss?.reason === undefined) {
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
  draft.set({
    loss: undefined,
    openAttempt: undefined,
    healthySince: vm.healthySince ?? now,
    notBefore: undefined,
    saidBlocked: undefined,
    saidStarting: undefined,
    why: undefined,
  });
  draft.enter({ name: "healthy", since: now });
}

function sawFailure(draft: Draft, main: Main, failure: ProbeFailure, durationMs: number): void {
  const { situation, vm } = draft;
  const { now, record } = situation;
  draft.set({ noGuestCount: 0 });
  // A booting VM is not judged; neither is one that is being shut down, nor one whose bystanders are to be sorted out first.
  if (isPhase(vm, "stopping") || now < after(main.startedAt, situation.health.startGraceMs)) return;
  const { health, verdict } = recordFailure(vm.health, now, situation.health);
  draft.set({ health, healthySince: undefined, why: failure.error });
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
    if (record.desired !== "stopped" && (vm.loss === undefined || vm.loss.reason === undefined)) {
      reportOrphan(draft, suspicionOf(failure), failure.error, main, "sweep", undefined);
    }
  }
  if (record.desired === "stopped") return;
  if (vm.phase.name === "blocked" && vm.phase.reason === "duplicate") return;
  if (!health.unhealthy) {
    draft.enter({ name: "suspect", since: now });
    return;
  }
  suspicionStands(draft, failure);
}

/** The verdict is in: either force is permitted, or the VM is blocked and the line says what would change that. */
function suspicionStands(draft: Draft, failure: ProbeFailure): void {
  const { situation } = draft;
  const { now, record, recovery } = situation;
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
  // An act that was turned down (no forced stop left) waits for its own recheck.
  if (draft.vm.phase.name === "blocked" && draft.vm.phase.recheckAt !== undefined) return;
  draft.enter({ name: "orphaned", since: now });
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
    block(draft, "migrated", `its VMM says ${result.raw}`, undefined);
    return;
  }
  if (record.desired === "stopped") return;
  // Somebody's snapshot, a debugger, or a failing disk: restarting is the wrong cure.
  const name = state === "io_error" ? "paused_io" : "paused";
  const silent = name === "paused" && (record.desired === "paused" || situation.leased);
  if (vm.phase.name !== name && !silent) {
    draft.report({ type: "vm_paused", vmId: record.id, ioError: name === "paused_io" });
  }
  draft.set({ health: CLEAN_SHEET, healthySince: undefined, why: `its VMM says ${result.raw}` });
  draft.enter({ name, since: now });
}

/** The VMM lives and says that no guest runs in it. */
function sawNoGuest(draft: Draft, main: Main, result: Extract<ProbeResult, { kind: "guest" }>): void {
  const { situation, vm } = draft;
  const { now, record } = situation;
  if (record.desired === "stopped" || isPhase(vm, "unfenceable")) return;
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
    isPhase(vm, "orphaned", "backing_off", "failed") || (vm.phase.name === "blocked" && vm.loss !== undefined);
  if (vm.loss?.reason === "guest_not_running" && waits) return;
  if (vm.openAttempt !== undefined) {
    endFailedAttempt(draft, "guest_not_running", evidence);
    draft.set({ loss: { reason: "guest_not_running", at: vm.loss?.at ?? now } });
    return;
  }
  if (vm.loss?.reason !== "guest_not_running") {
    reportOrphan(draft, "guest_not_running", evidence, main, "sweep", undefined);
  }
  // What somebody else launched may be empty on purpose: its word is no proof for us.
  if (!main.launchedByUs) block(draft, "data_loss_not_allowed", evidence, undefined);
  else enterWaiting(draft);
}

function recordChanged(draft: Draft, change: Extract<Observation, { type: "record_changed" }>): void {
  const { situation, vm } = draft;
  const { now, record } = situation;
  if (vm.main !== undefined && vm.main.runsWith.launchHash !== record.launchHash) sayDiffers(draft, change.changed);
  if (!change.contentChanged) return;
  draft.set({ notBefore: undefined });
  // An act under way finds the new record by itself, at its next look at the intent.
  if (isPhase(vm, "fencing", "starting", "stopping")) return;
  if (vm.main !== undefined) {
    if (record.desired === "stopped" && record.launch === undefined) {
      block(draft, "no_launch", "desired stopped", undefined);
    } else if (isPhase(vm, "blocked", "stopped", "unfenceable", "failed", "backing_off", "orphaned")) {
      draft.set({ saidBlocked: undefined, attempts: 0 });
      if (!vm.health.unhealthy && vm.loss === undefined) draft.enter({ name: "verifying", since: now });
      else if (isPhase(vm, "failed", "backing_off")) enterWaiting(draft);
    }
    return;
  }
  if (vm.phase.name === "pending" && !vm.phase.looked) return;
  if (record.desired === "stopped") {
    if (!isPhase(vm, "stopped", "pending")) {
      draft.report({ type: "vm_stopped", vmId: record.id, vmm: record.vmm, process: undefined, durationMs: 0 });
    }
    draft.set({ loss: undefined, attempts: 0, saidBlocked: undefined, why: undefined });
    draft.enter({ name: "stopped", since: now });
    return;
  }
  draft.set({ attempts: 0, saidBlocked: undefined, why: undefined, loss: vm.loss ?? { reason: undefined, at: now } });
  enterWaiting(draft);
}

/** Its record no longer describes how it runs. It is not restarted for that. */
function sayDiffers(draft: Draft, changed: readonly string[]): void {
  const { record } = draft.situation;
  if (draft.vm.saidDiffers === record.launchHash) return;
  draft.set({ saidDiffers: record.launchHash });
  draft.report({ type: "vm_record_differs", vmId: record.id, changed });
}

function restartBegan(draft: Draft): void {
  const { situation, vm } = draft;
  const { now, record, recovery } = situation;
  const attempt = vm.attempts + 1;
  draft.enter({ name: "fencing", since: now });
  // A blocked VM is looked at again and again: only the first look of an attempt is news.
  if (vm.saidStarting === attempt) return;
  draft.set({ saidStarting: attempt });
  const reason = vm.loss?.reason;
  if (reason === undefined) draft.report({ type: "vm_starting", vmId: record.id, attempt });
  else draft.report({ type: "recovery_starting", vmId: record.id, reason, attempt, maxRetries: recovery.maxRetries });
}

function restartEnded(draft: Draft, outcome: RestartOutcome): void {
  const { situation, vm } = draft;
  const { now, recovery } = situation;
  switch (outcome.kind) {
    case "healthy":
      if (vm.main === undefined || !sameProcess(vm.main.identity, outcome.main.identity))
        draft.set({ main: outcome.main });
      startMonitoring(draft, outcome.main);
      draft.set({ health: recordSuccess(CLEAN_SHEET, now, situation.health).health, lastWellAt: now });
      becomeHealthy(draft);
      return;
    case "slow":
      // Its attempt stays open: the next probe that succeeds makes it a success, its death a failure.
      draft.set({ main: outcome.main, health: CLEAN_SHEET, why: "not seen healthy before start_timeout" });
      startMonitoring(draft, outcome.main);
      draft.enter({ name: "suspect", since: now });
      return;
    case "found":
      failOpenAttempt(draft, "abandoned", "another process of the VM was found", 0);
      adopt(draft, outcome.main);
      return;
    case "well_again":
      draft.enter({ name: "suspect", since: now });
      return;
    case "attempt_failed":
      stopMonitoring(draft);
      endFailedAttempt(draft, outcome.cause, outcome.error);
      if (outcome.cause === "abandoned") draft.set({ notBefore: after(now, ABANDONED_PAUSE_MS) });
      return;
    case "blocked":
      if (vm.main === undefined && situation.record.desired === "stopped") enterWaiting(draft);
      else block(draft, outcome.reason, outcome.detail, after(now, recovery.retryIntervalMs));
      return;
    case "unfenceable":
      unfenceable(draft, outcome.detail);
      return;
    case "abandoned":
      resume(draft, outcome.detail);
      return;
    default:
      unreachable(outcome);
  }
}

/** Back to where it waited: what kept the act from being done is in the situation, or passes by itself. */
function resume(draft: Draft, detail: string): void {
  const { situation, vm } = draft;
  const { now } = situation;
  draft.set({ notBefore: after(now, ABANDONED_PAUSE_MS), why: detail });
  if (vm.main !== undefined && vm.loss === undefined) draft.enter({ name: "verifying", since: now });
  else if (vm.main === undefined && notToBeStarted(situation)) enterWaiting(draft);
  else draft.enter(attemptsWait(vm, now));
}

function attemptsWait(vm: Vm, now: MonotonicMs): Phase {
  return vm.loss?.reason === undefined
    ? { name: "pending", since: now, looked: true }
    : { name: "orphaned", since: now };
}

function notToBeStarted({ record }: Situation): boolean {
  return record.launch === undefined || record.desired !== "running";
}

function stopEnded(draft: Draft, outcome: StopOutcome): void {
  const { situation, vm } = draft;
  const { now, record, recovery } = situation;
  switch (outcome.kind) {
    case "stopped": {
      const process = vm.main?.identity;
      stopMonitoring(draft);
      draft.set({ loss: undefined, openAttempt: undefined, attempts: 0, saidBlocked: undefined, why: undefined });
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
      draft.set({ notBefore: after(now, ABANDONED_PAUSE_MS), why: outcome.detail });
      draft.enter({ name: "verifying", since: now });
      return;
    default:
      unreachable(outcome);
  }
}

/** Nothing may be done; it is said once per reason, with the remedy, and the VM goes on being watched. */
function block(draft: Draft, reason: BlockedReason, detail: string, recheckAt: MonotonicMs | undefined): void {
  const { situation } = draft;
  sayBlocked(draft, reason, detail);
  const { phase } = draft.vm;
  const since = phase.name === "blocked" && phase.reason === reason ? phase.since : situation.now;
  draft.set({ phase: { name: "blocked", since, reason, recheckAt } });
}

function unfenceable(draft: Draft, detail: string): void {
  const { now, recovery } = draft.situation;
  sayBlocked(draft, "unfenceable", detail);
  draft.enter({ name: "unfenceable", since: now, recheckAt: after(now, recovery.retryIntervalMs) });
}

function sayBlocked(draft: Draft, reason: BlockedReason, detail: string): void {
  draft.set({ why: detail, healthySince: undefined });
  if (draft.vm.saidBlocked === reason) return;
  draft.set({ saidBlocked: reason });
  draft.report({
    type: "recovery_blocked",
    vmId: draft.situation.record.id,
    reason,
    remedy: `${remedyFor(reason)} (${detail})`,
  });
}
