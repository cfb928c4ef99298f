/**
 * What is to be done for a VM, as it follows from its state alone.
 *
 * Nothing remembers that something should be done: whoever asks again gets the same answer until the state has changed. So no event
 * that was lost and no agent that died can leave work undone.
 *
 * Pure.
 * @module
 */

import type { MonotonicMs } from "../domain/time.ts";
import type { AdmissionClass } from "./admission.ts";
import { isSuspicion } from "./orphan.ts";
import type { Situation, Vm } from "./vm.ts";

/**
 * - `start`: nothing of it lives, as far as is known
 * - `replace_empty`: a VMM without a guest is ended first
 * - `force`: a living VMM under confirmed suspicion is ended first
 */
export type RestartMode = "start" | "replace_empty" | "force";

export type Work =
  | {
      readonly kind: "restart";
      readonly mode: RestartMode;
      readonly class: AdmissionClass;
      readonly dueAt: MonotonicMs;
      readonly waitingSince: MonotonicMs;
    }
  | { readonly kind: "stop"; readonly dueAt: MonotonicMs; readonly waitingSince: MonotonicMs };

export function workWanted(vm: Vm, situation: Situation): Work | undefined {
  const { record, recovery } = situation;
  if (situation.held || !recovery.enabled || record.launch === undefined) return undefined;
  const work = record.desired === "stopped" ? stopWanted(vm) : restartWanted(vm, situation);
  if (work === undefined || vm.notBefore === undefined || work.dueAt >= vm.notBefore) return work;
  return { ...work, dueAt: vm.notBefore };
}

function stopWanted(vm: Vm): Work | undefined {
  const { phase, main } = vm;
  if (main === undefined) return undefined;
  switch (phase.name) {
    case "fencing":
    case "starting":
    case "stopping":
    case "stopped":
      return undefined;
    case "blocked":
      // Two mains: nobody can tell which of them to ask.
      if (phase.reason === "duplicate") return undefined;
      return { kind: "stop", dueAt: phase.recheckAt ?? phase.since, waitingSince: phase.since };
    case "unfenceable":
      return { kind: "stop", dueAt: phase.recheckAt, waitingSince: phase.since };
    default:
      return { kind: "stop", dueAt: phase.since, waitingSince: phase.since };
  }
}

function restartWanted(vm: Vm, situation: Situation): Work | undefined {
  if (situation.record.desired !== "running") return undefined;
  const mode = modeOf(vm);
  if (mode === undefined || (mode === "force" && situation.braked)) return undefined;
  const { phase } = vm;
  const admissionClass =
    vm.attempts === 0 ? "first" : vm.attempts < situation.recovery.maxRetries ? "retry" : ("rearm" as const);
  const restart = (dueAt: MonotonicMs): Work => ({
    kind: "restart",
    mode,
    class: admissionClass,
    dueAt,
    waitingSince: dueAt,
  });
  switch (phase.name) {
    case "pending":
      return phase.looked ? restart(phase.since) : undefined;
    case "orphaned":
      return restart(phase.since);
    case "backing_off":
    case "failed":
      return restart(phase.retryAt);
    case "blocked":
      return phase.recheckAt === undefined ? undefined : restart(phase.recheckAt);
    case "stopped":
      // It was stopped under an older wish, and not because it is to stay exited.
      if (vm.main !== undefined || vm.exitedForContent === situation.record.contentHash) return undefined;
      return restart(phase.since);
    case "unfenceable":
      // A living process under mere suspicion is not tried again by the clock: its probes decide.
      return mode === "force" ? undefined : restart(phase.recheckAt);
    default:
      return undefined;
  }
}

function modeOf(vm: Vm): RestartMode | undefined {
  if (vm.main === undefined) return "start";
  const reason = vm.loss?.reason;
  if (reason === "guest_not_running") return vm.main.launchedByUs ? "replace_empty" : undefined;
  return reason !== undefined && isSuspicion(reason) ? "force" : undefined;
}
