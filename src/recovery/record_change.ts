/**
 * What a new record means for the VM it describes.
 *
 * Pure.
 * @module
 */

import { block } from "./blocking.ts";
import type { Draft } from "./draft.ts";
import { sayDiffers } from "./monitoring.ts";
import type { Observation } from "./observation.ts";
import { isPhase } from "./vm.ts";
import { enterWaiting } from "./waiting.ts";

export function recordChanged(draft: Draft, change: Extract<Observation, { type: "record_changed" }>): void {
  const { situation, vm } = draft;
  const { now, record } = situation;
  if (vm.main !== undefined && vm.main.runsWith.launchHash !== record.launchHash) sayDiffers(draft, change.changed);
  if (!change.contentChanged) return;
  draft.set({ notBefore: undefined, abandonments: 0 });
  // An act under way finds the new record by itself, at its next look at the intent.
  if (isPhase(vm, "fencing", "starting", "stopping")) {
    draft.set({ forgiveFailure: !isPhase(vm, "stopping") || vm.openAttempt !== undefined });
    return;
  }
  if (vm.phase.name === "verifying" && vm.openAttempt !== undefined) draft.set({ forgiveFailure: true });
  // Which of two mains is right no record can tell.
  if (vm.phase.name === "blocked" && vm.phase.reason === "duplicate") return;
  if (vm.main !== undefined) {
    if (record.desired === "stopped" && record.launch === undefined) {
      block(draft, "no_launch", "desired stopped", undefined);
    } else if (isPhase(vm, "blocked", "stopped", "unfenceable", "failed", "backing_off", "orphaned")) {
      draft.set({ saidBlocked: undefined, attempts: 0 });
      if (record.desired === "stopped" || (!vm.health.unhealthy && vm.loss === undefined)) {
        draft.enter({ name: "verifying", since: now });
      } else if (isPhase(vm, "failed", "backing_off")) enterWaiting(draft);
    }
    return;
  }
  if (vm.phase.name === "pending" && !vm.phase.looked) return;
  if (record.desired === "stopped") {
    if (!isPhase(vm, "stopped", "pending")) {
      draft.report({ type: "vm_stopped", vmId: record.id, vmm: record.vmm, process: undefined, durationMs: 0 });
    }
    draft.endLoss();
    draft.set({ attempts: 0 });
    draft.enter({ name: "stopped", since: now });
    return;
  }
  draft.set({
    attempts: 0,
    saidBlocked: undefined,
    saidStarting: undefined,
    rememberedRetryAt: undefined,
    why: undefined,
    loss: vm.loss ?? { reason: undefined, at: now, proven: false },
  });
  enterWaiting(draft);
}
