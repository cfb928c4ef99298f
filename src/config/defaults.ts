/**
 * The value of every key that a configuration does not give.
 * @module
 */

export const DEFAULTS = {
  enabled: true,
  health_check: {
    enabled: true,
    interval: "30s",
    suspect_interval: "5s",
    timeout: "5s",
    failure_threshold: 3,
    recovery_threshold: 2,
    start_grace: "30s",
  },
  recovery: {
    enabled: true,
    max_retries: 3,
    retry_interval: "10s",
    backoff_factor: 2,
    max_retry_interval: "5m",
    jitter: 0.1,
    recovery_timeout: "10m",
    start_timeout: "30s",
    shutdown_timeout: "90s",
    detection_interval: "60s",
    stable_after: "5m",
    rearm_interval: "5m",
    max_concurrent_recoveries: 4,
    max_forced_stops: 5,
    allow_data_loss: false,
    brake: { min_vms: 2, fraction: 0.25, hold: "2m" },
  },
  reconcile_interval: "5m",
  strays: { action: "report", min_age: "10m" },
  registry: { type: "directory", path: "/var/lib/metald/vms" },
  launcher: "auto",
  state_dir: "/run/metald",
  durable_dir: "/var/lib/metald/state",
  log: { level: "info", format: "logfmt" },
  telemetry: { otlp: {}, textfile: {} },
} as const;
