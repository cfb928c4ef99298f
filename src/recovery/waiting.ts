/**
 * Where a VM waits that is to be started, and what an attempt that failed does to that.
 *
 * Pure.
 * @module
 */

import type { AttemptFailure } from "../domain/event.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import { jittered, retryDelayMs } from "./backoff.ts";
import { block } from "./blocking.ts";
import { Draft } from "./draft.ts";
import type { Phase, Situation, Vm } from "./vm.ts";

/**
 * Puts a VM that is to be started where its attempts belong: at once, after a wait, or behind the breaker. Where it may not be started
 * it is blocked, which says why.
 */
export function enterWaiting(draft: Draft): void {
  const { situation, vm } = draft;
  const { now, record, recovery } = situation;
  if (record.desired === "stopped") {
    // What lives is not stopped because that is wished; the wish for it follows from the phase.
    draft.endLoss();
    draft.enter({ name: vm.main === undefined ? "stopped" : "verifying", since: now });
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

function attemptsWait(vm: Vm, now: MonotonicMs): Phase {
  return vm.loss?.reason === undefined
    ? { name: "pending", since: now, looked: true }
    : { name: "orphaned", since: now };
}

/** Closes an announced attempt whose VM was lost before it was seen healthy, without deciding what comes next. */
export function failOpenAttempt(draft: Draft, cause: AttemptFailure, error: string, retryDelay: number): void {
  const { situation, vm } = draft;
  if (vm.openAttempt === undefined) return;
  draft.set({ openAttempt: undefined, why: error });
  draft.report({
    type: "attempt_failed",
    vmId: situation.record.id,
    recovery: vm.openAttempt.recovery,
    attempt: vm.openAttempt.attempt,
    maxRetries: situation.recovery.maxRetries,
    cause,
    error,
    durationMs: situation.now - vm.openAttempt.startedAt,
    retryDelayMs: retryDelay,
  });
}

/** Closes an attempt, and waits for the next one. */
export function endFailedAttempt(draft: Draft, cause: AttemptFailure, error: string): void {
  const { situation } = draft;
  if (cause === "abandoned") {
    // Not the VM's fault: it keeps its number for the next attempt.
    draft.set({ attempts: Math.max(0, draft.vm.attempts - 1) });
  }
  forgive(draft);
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

/** The record that was tried is not the one that is wanted now, whose attempts begin anew. */
export function forgive(draft: Draft): void {
  if (draft.vm.forgiveFailure) draft.set({ attempts: 0, forgiveFailure: false });
}

/** Back to where it waited: what kept the act from being done is in the situation, or passes by itself. */
export function resume(draft: Draft, detail: string): void {
  const { situation, vm } = draft;
  const { now } = situation;
  pause(draft);
  draft.set({ why: detail });
  if (vm.main !== undefined && vm.loss === undefined) draft.enter({ name: "verifying", since: now });
  else if (vm.main === undefined && notToBeStarted(situation)) enterWaiting(draft);
  else draft.enter(attemptsWait(vm, now));
}

export function notToBeStarted({ record }: Situation): boolean {
  return record.launch === undefined || record.desired !== "running";
}

/** An act that found its intent withdrawn or unreadable waits, so that it does not spin: the longer, the more often it did so. */
export function pause(draft: Draft): void {
  const { vm, situation } = draft;
  const pauseMs = Math.min(PAUSE_FIRST_MS * 2 ** vm.abandonments, PAUSE_MAX_MS);
  draft.set({ abandonments: vm.abandonments + 1, notBefore: after(situation.now, pauseMs) });
}

const PAUSE_FIRST_MS = 1_000;
const PAUSE_MAX_MS = 10_000;
