/**
 * Tells a shared cause from many single ones.
 *
 * When a large part of a host's VMs is suspect at once, the network, the storage or the agent itself is at fault, and ending VMMs
 * by force would turn a disturbance into an outage. While the brake is engaged no force is used; proven deaths still recover.
 *
 * Pure.
 * @module
 */

import type { BrakePolicy } from "../domain/policy.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";

export type Brake =
  | { readonly engaged: false }
  /** `calmSince`: since when fewer are suspect; undefined: not yet. */
  | { readonly engaged: true; readonly calmSince: MonotonicMs | undefined };

export const RELEASED: Brake = { engaged: false };

export interface Suspects {
  readonly suspectVms: number;
  /** VMs expected to run. */
  readonly totalVms: number;
}

export function nextBrake(brake: Brake, suspects: Suspects, now: MonotonicMs, policy: BrakePolicy): Brake {
  const many =
    suspects.suspectVms >= policy.minVms && suspects.suspectVms >= policy.fraction * Math.max(1, suspects.totalVms);
  if (many) return brake.engaged && brake.calmSince === undefined ? brake : { engaged: true, calmSince: undefined };
  if (!brake.engaged) return brake;
  if (brake.calmSince === undefined) return { engaged: true, calmSince: now };
  return now >= after(brake.calmSince, policy.holdMs) ? RELEASED : brake;
}

/** When the brake is to be looked at again though nothing else happens. */
export function brakeDueAt(brake: Brake, policy: BrakePolicy): MonotonicMs | undefined {
  return brake.engaged && brake.calmSince !== undefined ? after(brake.calmSince, policy.holdMs) : undefined;
}
