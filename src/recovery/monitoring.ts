/**
 * Which process is watched as the main of a VM, and that its record may no longer describe it.
 *
 * Pure.
 * @module
 */

import { CLEAN_SHEET } from "../health/vm_health.ts";
import { block } from "./blocking.ts";
import type { Draft } from "./draft.ts";
import type { Main } from "./vm.ts";
import { failOpenAttempt } from "./waiting.ts";

/** From now on this process is watched, as it is. It owes nothing to the one before it. */
export function adopt(draft: Draft, main: Main): void {
  const { situation, vm } = draft;
  stopMonitoring(draft);
  // What an earlier agent launched, or a shell that we launched turned into, still has to show that its attempt succeeded.
  const attempted = vm.openAttempt !== undefined && main.incarnation === vm.incarnation;
  if (!attempted) failOpenAttempt(draft, "abandoned", "another process of the VM was found", 0);
  draft.set({
    main,
    health: CLEAN_SHEET,
    lastSeenAt: situation.now,
    incarnation: Math.max(vm.incarnation, main.incarnation ?? 0),
    loss: attempted ? vm.loss : undefined,
    openAttempt: attempted ? vm.openAttempt : undefined,
    ranThisBoot: true,
    healthySince: undefined,
    noGuestCount: 0,
    deadIncarnation: undefined,
    exitedForContent: undefined,
    saidBlocked: undefined,
    saidStarting: undefined,
    rememberedRetryAt: undefined,
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

export function startMonitoring(draft: Draft, main: Main): void {
  draft.report({
    type: "monitoring_started",
    vmId: draft.situation.record.id,
    vmm: main.runsWith.vmm,
    process: main.identity,
    socketPath: main.runsWith.socket,
    intervalMs: draft.situation.health.intervalMs,
  });
}

export function stopMonitoring(draft: Draft): void {
  const { main } = draft.vm;
  if (main === undefined) return;
  draft.report({
    type: "monitoring_stopped",
    vmId: draft.situation.record.id,
    vmm: main.runsWith.vmm,
    process: main.identity,
  });
  forgetMain(draft);
}

/** The main process of an attempt that failed: nobody said that it was watched. */
export function forgetMain(draft: Draft): void {
  draft.set({
    main: undefined,
    health: CLEAN_SHEET,
    healthySince: undefined,
    noGuestCount: 0,
    endingMain: false,
    saidPaused: false,
  });
}

/** Its record no longer describes how it runs. It is not restarted for that. */
export function sayDiffers(draft: Draft, changed: readonly string[]): void {
  const { record } = draft.situation;
  if (draft.vm.saidDiffers === record.launchHash) return;
  draft.set({ saidDiffers: record.launchHash });
  draft.report({ type: "vm_record_differs", vmId: record.id, changed });
}
