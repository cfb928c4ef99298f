/**
 * Turns a run of probe results into the health of one process.
 *
 * One missed probe says little, as a loaded host misses a deadline now and then. So a VM becomes unhealthy only after
 * `failureThreshold` failures in a row, and healthy again after `recoveryThreshold` successes. The terms are those of the
 * Kubernetes probe: https://kubernetes.io/docs/concepts/workloads/pods/probes/
 *
 * Health belongs to one process: a new process starts with `CLEAN_SHEET`. Pure: the caller brings the result and the time.
 * @module
 */

import type { HealthPolicy } from "../domain/policy.ts";
import type { MonotonicMs } from "../domain/time.ts";

export interface VmHealth {
  readonly consecutiveFailures: number;
  readonly consecutiveSuccesses: number;
  /** The verdict is in, and not yet lifted. */
  readonly unhealthy: boolean;
  /** The first failure of the present run. */
  readonly failingSince: MonotonicMs | undefined;
  readonly lastSuccessAt: MonotonicMs | undefined;
  /** Why the last probe could not run, so that it is said once per change. */
  readonly unknown: string | undefined;
}

export const CLEAN_SHEET: VmHealth = {
  consecutiveFailures: 0,
  consecutiveSuccesses: 0,
  unhealthy: false,
  failingSince: undefined,
  lastSuccessAt: undefined,
  unknown: undefined,
};

export type Thresholds = Pick<HealthPolicy, "failureThreshold" | "recoveryThreshold">;

/** @returns the new health, and for how long it was unhealthy if this success lifts the verdict */
export function recordSuccess(
  health: VmHealth,
  now: MonotonicMs,
  thresholds: Thresholds,
): { readonly health: VmHealth; readonly restoredAfterMs: number | undefined } {
  const consecutiveSuccesses = health.consecutiveSuccesses + 1;
  const restored = health.unhealthy && consecutiveSuccesses >= thresholds.recoveryThreshold;
  const unhealthy = health.unhealthy && !restored;
  return {
    health: {
      consecutiveFailures: 0,
      consecutiveSuccesses,
      unhealthy,
      failingSince: unhealthy ? health.failingSince : undefined,
      lastSuccessAt: now,
      unknown: undefined,
    },
    restoredAfterMs: restored && health.failingSince !== undefined ? now - health.failingSince : undefined,
  };
}

/** @returns the new health, and whether exactly this failure brings the verdict */
export function recordFailure(
  health: VmHealth,
  now: MonotonicMs,
  thresholds: Thresholds,
): { readonly health: VmHealth; readonly verdict: boolean } {
  const consecutiveFailures = health.consecutiveFailures + 1;
  const verdict = !health.unhealthy && consecutiveFailures >= thresholds.failureThreshold;
  return {
    health: {
      consecutiveFailures,
      consecutiveSuccesses: 0,
      unhealthy: health.unhealthy || verdict,
      failingSince: health.failingSince ?? now,
      lastSuccessAt: health.lastSuccessAt,
      unknown: undefined,
    },
    verdict,
  };
}

/** A probe that could not run neither counts nor resets. `changed` when the reason was not said before. */
export function recordUnknown(
  health: VmHealth,
  error: string,
): { readonly health: VmHealth; readonly changed: boolean } {
  return { health: { ...health, unknown: error }, changed: health.unknown !== error };
}
