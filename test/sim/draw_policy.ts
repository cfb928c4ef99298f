/**
 * The numbers by which a seed's agent works: the defaults, or others that an operator might choose.
 * @module
 */

import type { Policy } from "../../src/domain/policy.ts";
import type { SimRandom } from "./sim_random.ts";

/** Section 3 of the specification. */
export const DEFAULT_POLICY: Policy = {
  enabled: true,
  health: {
    enabled: true,
    intervalMs: 30_000,
    suspectIntervalMs: 5_000,
    timeoutMs: 5_000,
    failureThreshold: 3,
    recoveryThreshold: 2,
    startGraceMs: 30_000,
  },
  recovery: {
    enabled: true,
    maxRetries: 3,
    retryIntervalMs: 10_000,
    backoffFactor: 2,
    maxRetryIntervalMs: 300_000,
    jitter: 0.1,
    recoveryTimeoutMs: 600_000,
    startTimeoutMs: 30_000,
    shutdownTimeoutMs: 90_000,
    detectionIntervalMs: 60_000,
    stableAfterMs: 300_000,
    rearmIntervalMs: 300_000,
    maxConcurrentRecoveries: 4,
    maxForcedStops: 5,
    allowDataLoss: false,
    brake: { minVms: 2, fraction: 0.25, holdMs: 120_000 },
  },
  reconcileIntervalMs: 300_000,
  strayMinAgeMs: 600_000,
};

export function drawPolicy(random: SimRandom): Policy {
  const policy = DEFAULT_POLICY;
  if (random.chance(0.4)) return policy;
  const { health, recovery } = policy;
  return {
    ...policy,
    health: {
      ...health,
      intervalMs: random.pick([10_000, 30_000, 60_000]),
      suspectIntervalMs: random.pick([2_000, 5_000]),
      timeoutMs: random.pick([2_000, 5_000]),
      failureThreshold: random.pick([2, 3, 5]),
      recoveryThreshold: random.pick([1, 2, 3]),
      startGraceMs: random.pick([10_000, 30_000, 60_000]),
    },
    recovery: {
      ...recovery,
      maxRetries: random.pick([1, 2, 3, 5]),
      retryIntervalMs: random.pick([2_000, 10_000, 30_000]),
      backoffFactor: random.pick([1.5, 2, 3]),
      maxRetryIntervalMs: random.pick([60_000, 300_000]),
      jitter: random.pick([0, 0.1, 0.5]),
      startTimeoutMs: random.pick([10_000, 30_000, 60_000]),
      shutdownTimeoutMs: random.pick([20_000, 90_000]),
      detectionIntervalMs: random.pick([30_000, 60_000]),
      stableAfterMs: random.pick([60_000, 300_000]),
      rearmIntervalMs: random.pick([60_000, 300_000]),
      maxConcurrentRecoveries: random.pick([1, 2, 4]),
      maxForcedStops: random.pick([1, 5]),
      allowDataLoss: random.chance(0.5),
      brake: random.chance(0.5) ? recovery.brake : { minVms: 3, fraction: 0.5, holdMs: 60_000 },
    },
  };
}
