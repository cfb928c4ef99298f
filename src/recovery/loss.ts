/**
 * The loss of a VM, and its end by its own will.
 *
 * Pure.
 * @module
 */

import type { DetectionSource, OrphanReason } from "../domain/event.ts";
import type { ProcessIdentity } from "../domain/process.ts";
import type { Draft } from "./draft.ts";
import { isSuspicion } from "./orphan.ts";
import type { Main } from "./vm.ts";

export function reportOrphan(
  draft: Draft,
  reason: OrphanReason,
  evidence: string,
  main: Main | undefined,
  detect: DetectionSource,
  detectionDelayMs: number | undefined,
): void {
  const { situation, vm } = draft;
  const at = vm.loss?.at ?? vm.health.failingSince ?? situation.now;
  draft.set({ loss: { reason, at, proven: !isSuspicion(reason) || vm.loss?.proven === true }, why: evidence });
  draft.report({
    type: "orphan_detected",
    vmId: situation.record.id,
    vmm: main?.runsWith.vmm ?? situation.record.vmm,
    process: main?.identity,
    reason,
    evidence,
    lastSeenAgoMs: vm.lastSeenAt === undefined ? undefined : situation.now - vm.lastSeenAt,
    downtimeMs: situation.now - at,
    detect,
    detectionDelayMs,
  });
}

/** It ended, and its restart policy leaves it so. */
export function leaveExited(draft: Draft, process: ProcessIdentity | undefined, exitCode: number | undefined): void {
  const { record, now } = draft.situation;
  draft.endLoss();
  const how = exitCode === undefined ? "it ended" : `it ended with exit code ${exitCode}`;
  draft.set({ exitedForContent: record.contentHash, why: `${how}, and restart is ${record.restart}` });
  draft.enter({ name: "stopped", since: now });
  draft.report({ type: "vm_exited", vmId: record.id, vmm: record.vmm, process, exitCode });
}
