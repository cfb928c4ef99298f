/**
 * The configured numbers that the rules use. Durations are milliseconds; the configuration file's `"30s"` ends at the
 * border.
 * @module
 */

export interface HealthPolicy {
  readonly enabled: boolean;
  /** Between two probes of a healthy VM. */
  readonly intervalMs: number;
  /** Between two probes after a first miss, until the verdict. */
  readonly suspectIntervalMs: number;
  /** Deadline of one whole probe. */
  readonly timeoutMs: number;
  /** Misses in a row that make a VM unhealthy. */
  readonly failureThreshold: number;
  /** Successes in a row that make it healthy again. */
  readonly recoveryThreshold: number;
  /** A VMM younger than this is not judged by probes. */
  readonly startGraceMs: number;
}

export interface BrakePolicy {
  readonly minVms: number;
  /** Of the VMs expected to run, 0 to 1. */
  readonly fraction: number;
  readonly holdMs: number;
}

export interface RecoveryPolicy {
  /** False: detect and report only. */
  readonly enabled: boolean;
  /** Attempts before the breaker opens. */
  readonly maxRetries: number;
  /** Wait before the second attempt; the first is immediate. */
  readonly retryIntervalMs: number;
  readonly backoffFactor: number;
  readonly maxRetryIntervalMs: number;
  /** Fraction of the wait, both ways, 0 to 1. */
  readonly jitter: number;
  /** One whole recovery. */
  readonly recoveryTimeoutMs: number;
  /** Launch to seen healthy; then the slot is released and the VM is `suspect`. */
  readonly startTimeoutMs: number;
  /** A guest's own shutdown. */
  readonly shutdownTimeoutMs: number;
  /** The full sweep that repairs missed events. */
  readonly detectionIntervalMs: number;
  /** Healthy for this long: attempts are forgiven. */
  readonly stableAfterMs: number;
  /** Breaker open: one attempt this often, for ever. */
  readonly rearmIntervalMs: number;
  readonly maxConcurrentRecoveries: number;
  /** Per hour and host. */
  readonly maxForcedStops: number;
  readonly allowDataLoss: boolean;
  readonly brake: BrakePolicy;
}

export interface Policy {
  /** False: observe nothing, do nothing, stay up. */
  readonly enabled: boolean;
  readonly health: HealthPolicy;
  readonly recovery: RecoveryPolicy;
  /** Full rescan of the registry. */
  readonly reconcileIntervalMs: number;
  /** A VMM that belongs to no record is reported once it is this old. */
  readonly strayMinAgeMs: number;
}
