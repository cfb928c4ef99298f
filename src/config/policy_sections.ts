/**
 * The sections `health_check` and `recovery`, which the configuration holds whole and a record in part.
 *
 * Ranges only keep out what cannot be meant: a probe every microsecond, a wait of years.
 * @module
 */

import type { BrakePolicy, HealthPolicy, RecoveryPolicy } from "../domain/policy.ts";
import { duration, flag, numberBetween, section, wholeNumber } from "./leaves.ts";

/** Whatever repeats does so at most a hundred times a second. */
const PERIOD_LEAST = "10ms";

export const healthFields = {
  enabled: flag,
  interval: duration(PERIOD_LEAST, "1d"),
  suspect_interval: duration(PERIOD_LEAST, "1d"),
  timeout: duration("10ms", "1h"),
  failure_threshold: wholeNumber(1, 1000),
  recovery_threshold: wholeNumber(1, 1000),
  start_grace: duration("0s", "1d"),
};

export const vmRecoveryFields = {
  enabled: flag,
  max_retries: wholeNumber(1, 1000),
  retry_interval: duration(PERIOD_LEAST, "7d"),
  backoff_factor: numberBetween(1, 100),
  max_retry_interval: duration(PERIOD_LEAST, "7d"),
  jitter: numberBetween(0, 1),
  recovery_timeout: duration("10ms", "7d"),
  start_timeout: duration("10ms", "7d"),
  shutdown_timeout: duration("0s", "1d"),
  stable_after: duration("0s", "7d"),
  rearm_interval: duration(PERIOD_LEAST, "7d"),
  allow_data_loss: flag,
};

export const recoveryFields = {
  ...vmRecoveryFields,
  detection_interval: duration(PERIOD_LEAST, "1d"),
  max_concurrent_recoveries: wholeNumber(1, 1000),
  max_forced_stops: wholeNumber(0, 10_000),
  brake: section({
    min_vms: wholeNumber(1, 100_000),
    fraction: numberBetween(0, 1),
    hold: duration("0s", "1d"),
  }).transform((brake): BrakePolicy => ({ minVms: brake.min_vms, fraction: brake.fraction, holdMs: brake.hold })),
};

export const HEALTH_NAMES = {
  enabled: "enabled",
  interval: "intervalMs",
  suspect_interval: "suspectIntervalMs",
  timeout: "timeoutMs",
  failure_threshold: "failureThreshold",
  recovery_threshold: "recoveryThreshold",
  start_grace: "startGraceMs",
} as const satisfies Record<keyof typeof healthFields, keyof HealthPolicy>;

export const RECOVERY_NAMES = {
  enabled: "enabled",
  max_retries: "maxRetries",
  retry_interval: "retryIntervalMs",
  backoff_factor: "backoffFactor",
  max_retry_interval: "maxRetryIntervalMs",
  jitter: "jitter",
  recovery_timeout: "recoveryTimeoutMs",
  start_timeout: "startTimeoutMs",
  shutdown_timeout: "shutdownTimeoutMs",
  stable_after: "stableAfterMs",
  rearm_interval: "rearmIntervalMs",
  allow_data_loss: "allowDataLoss",
  detection_interval: "detectionIntervalMs",
  max_concurrent_recoveries: "maxConcurrentRecoveries",
  max_forced_stops: "maxForcedStops",
  brake: "brake",
} as const satisfies Record<keyof typeof recoveryFields, keyof RecoveryPolicy>;

type Renamed<V, N extends Record<keyof V, string>> = { [K in keyof V as N[K]]: V[K] };

/** The same values under the names that the rules use. What is absent stays absent. */
export function renamed<V extends object, N extends Record<keyof V, string>>(values: V, names: N): Renamed<V, N> {
  const lookup: Readonly<Record<string, string>> = names;
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [lookup[key] ?? key, value])) as Renamed<V, N>;
}
