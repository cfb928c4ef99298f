/**
 * Every instrument of the agent: name, kind, unit, attributes, and the question it answers.
 *
 * Operators have these names in queries and alerts, so they are a contract. No attribute holds the id of a VM, a path or an
 * error's text, only words of a closed set: the number of series is that of the agent's words, not of the host's VMs.
 * @module
 */

import type { AttemptFailure, DetectionSource, OrphanReason } from "../domain/event.ts";
import { VM_PHASES } from "../domain/event.ts";

export const METER_NAME = "metald";

/** In seconds. A probe of a socket takes a millisecond, its deadline is 5 s by default. */
const PROBE_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** In seconds, from a `process` VM to a guest that checks its disk. */
const RECOVERY_BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
/** In seconds. An event takes milliseconds, a sweep its interval. */
const DETECTION_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 120];
const LAG_BOUNDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

export const ORPHAN_REASONS = wordsOf<OrphanReason>({
  process_dead: true,
  process_mismatch: true,
  guest_not_running: true,
  socket_unreachable: true,
  health_check_failed: true,
});

export const ATTEMPT_FAILURES = wordsOf<AttemptFailure>({
  launch_refused: true,
  launch_unknown: true,
  process_died: true,
  guest_not_running: true,
  hook_failed: true,
  cleanup_failed: true,
  timeout: true,
  abandoned: true,
});

const DETECTION_SOURCES = wordsOf<DetectionSource>({ event: true, sweep: true });
const RESULTS = ["success", "failure"] as const;

export interface InstrumentRow {
  readonly kind: "counter" | "histogram" | "gauge";
  /** As UCUM has it. */
  readonly unit: string;
  /** What it tells, in the form of Prometheus's help texts. */
  readonly description: string;
  /** Its only attribute with all its values. */
  readonly attribute?: { readonly key: string; readonly values: readonly string[] };
  readonly bounds?: readonly number[];
}

export const INSTRUMENTS = {
  unkey_metald_vm_health_checks_total: {
    kind: "counter",
    unit: "{check}",
    description: "Health checks that ended, whatever they found.",
  },
  unkey_metald_vm_health_check_failures_total: {
    kind: "counter",
    unit: "{check}",
    description: "Health checks that found a VM not well.",
  },
  unkey_metald_vm_health_checks_unknown_total: {
    kind: "counter",
    unit: "{check}",
    description: "Health checks that could not be carried out and say nothing about the VM.",
  },
  unkey_metald_vm_health_check_duration_seconds: {
    kind: "histogram",
    unit: "s",
    description: "How long one health check took.",
    bounds: PROBE_BOUNDS,
  },
  unkey_metald_vm_orphaned_total: {
    kind: "counter",
    unit: "{vm}",
    description: "VMs found orphaned: expected to run, and lost.",
    attribute: { key: "reason", values: ORPHAN_REASONS },
  },
  unkey_metald_vm_recovery_attempts_total: {
    kind: "counter",
    unit: "{attempt}",
    description: "Attempts to bring a lost VM back.",
  },
  unkey_metald_vm_recovery_success_total: {
    kind: "counter",
    unit: "{attempt}",
    description: "Attempts after which the VM was seen healthy.",
  },
  unkey_metald_vm_recovery_failures_total: {
    kind: "counter",
    unit: "{attempt}",
    description: "Attempts that ended without a healthy VM; abandoned ones were given up for another's sake.",
    attribute: { key: "cause", values: ATTEMPT_FAILURES },
  },
  unkey_metald_vm_recovery_duration_seconds: {
    kind: "histogram",
    unit: "s",
    description: "From the loss of a VM to its being seen healthy, or how long a failed attempt took.",
    attribute: { key: "result", values: RESULTS },
    bounds: RECOVERY_BOUNDS,
  },
  unkey_metald_vm_starts_total: {
    kind: "counter",
    unit: "{start}",
    description: "First starts of VMs, which are no recoveries.",
    attribute: { key: "result", values: RESULTS },
  },
  unkey_metald_vm_detection_delay_seconds: {
    kind: "histogram",
    unit: "s",
    description: "From the first sign of a loss to its report.",
    attribute: { key: "source", values: DETECTION_SOURCES },
    bounds: DETECTION_BOUNDS,
  },
  unkey_metald_vms: {
    kind: "gauge",
    unit: "{vm}",
    description: "VMs of the registry in each state.",
    attribute: { key: "state", values: VM_PHASES },
  },
  unkey_metald_vms_orphaned: {
    kind: "gauge",
    unit: "{vm}",
    description: "VMs that are expected to run, and are neither healthy nor suspect.",
  },
  unkey_metald_vms_held: {
    kind: "gauge",
    unit: "{vm}",
    description: "VMs that a hold or a lease keeps the agent from touching.",
  },
  unkey_metald_vm_orphaned_oldest_age_seconds: {
    kind: "gauge",
    unit: "s",
    description: "How long the VM that has been lost for longest is lost; 0 when none is.",
  },
  unkey_metald_registry_last_success_age_seconds: {
    kind: "gauge",
    unit: "s",
    description: "Since the registry was last read in full and believed.",
  },
  unkey_metald_brake_engaged: {
    kind: "gauge",
    unit: "{state}",
    description: "1 while so many VMs are suspect that no force is used, else 0.",
  },
  unkey_metald_stray_processes: {
    kind: "gauge",
    unit: "{process}",
    description: "VMM processes that belong to no record.",
  },
  unkey_metald_export_failures_total: {
    kind: "counter",
    unit: "{export}",
    description: "Exports of metrics or traces that did not reach their destination.",
  },
  unkey_metald_log_lines_dropped_total: {
    kind: "counter",
    unit: "{line}",
    description: "Log lines dropped, as their reader did not take them.",
  },
  unkey_metald_loop_lag_seconds: {
    kind: "histogram",
    unit: "s",
    description: "How late a timer of the agent fired.",
    bounds: LAG_BOUNDS,
  },
  unkey_metald_build_info: {
    kind: "gauge",
    unit: "{info}",
    description: "Always 1; its label tells the version that runs.",
  },
} as const satisfies Readonly<Record<`unkey_metald_${string}`, InstrumentRow>>;

export type InstrumentName = keyof typeof INSTRUMENTS;

/** All members of a union; the type demands each. */
function wordsOf<Word extends string>(words: Readonly<Record<Word, true>>): readonly Word[] {
  return Object.keys(words) as Word[];
}
