/**
 * Which of the waiting VMs start next.
 *
 * Starting a VM is the most expensive thing a host does, so a few at a time. First attempts go before retries, and retries before
 * re-arms, since a VM that failed often is likely to fail again; re-arms get at most half the slots, so that a host full of hopeless
 * VMs still has room for one that just died. Within a class the priority decides, and a minute of waiting counts as one priority,
 * so nobody starves.
 *
 * Pure. Nothing holds a slot while it waits.
 * @module
 */

import type { MonotonicMs } from "../domain/time.ts";
import type { VmId } from "../domain/vm_record.ts";

export type AdmissionClass = "first" | "retry" | "rearm";

export interface Candidate {
  readonly id: VmId;
  readonly class: AdmissionClass;
  readonly priority: number;
  readonly waitingSince: MonotonicMs;
}

export interface Slots {
  readonly slotsMax: number;
  /** Classes of those that hold a slot now. */
  readonly running: readonly AdmissionClass[];
}

const CLASS_ORDER: Readonly<Record<AdmissionClass, number>> = { first: 0, retry: 1, rearm: 2 };
const WAIT_PER_PRIORITY_MS = 60_000;

/** @returns those to be started now, in order */
export function admit(candidates: Iterable<Candidate>, slots: Slots, now: MonotonicMs): readonly Candidate[] {
  let free = slots.slotsMax - slots.running.length;
  if (free <= 0) return [];
  const rearmsMax = Math.max(1, Math.floor(slots.slotsMax / 2));
  let rearmsFree = rearmsMax - slots.running.filter((running) => running === "rearm").length;
  const weight = (candidate: Candidate) => candidate.priority + (now - candidate.waitingSince) / WAIT_PER_PRIORITY_MS;
  const ordered = [...candidates].sort(
    (a, b) =>
      CLASS_ORDER[a.class] - CLASS_ORDER[b.class] || weight(b) - weight(a) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
  );
  const admitted: Candidate[] = [];
  for (const candidate of ordered) {
    if (free === 0) break;
    if (candidate.class === "rearm") {
      if (rearmsFree <= 0) continue;
      rearmsFree -= 1;
    }
    admitted.push(candidate);
    free -= 1;
  }
  return admitted;
}
