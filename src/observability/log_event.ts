/**
 * The log line of each event: its level, its component, its message and the order of its fields.
 *
 * Operators grep for these words and write alerts on them, so a change here breaks somebody's night: the golden file of the test
 * shows every line.
 * @module
 */

import type {
  HealthEvent,
  LifecycleEvent,
  RecoveryEvent,
  ReliabilityEvent,
  StateEvent,
  SubsystemEvent,
} from "../domain/event.ts";
import { type ProcessIdentity, processId } from "../domain/process.ts";
import type { WallMs } from "../domain/time.ts";
import { unreachable } from "../domain/unreachable.ts";
import type { VmmKind } from "../domain/vm_record.ts";
import type { Report } from "../ports/report.ts";
import { durationText } from "./duration_text.ts";
import type { Follow } from "./fleet_traces.ts";
import type { Log } from "./log.ts";
import type { Component, LevelName, LogEntry, LogFields } from "./log_record.ts";

/**
 * A report that writes one line per event to `log`.
 *
 * @param traceIdOf called with each event once, in order; the trace that the event belongs to, or undefined
 */
export function reportToLog(log: Log, traceIdOf: Follow = () => undefined): Report {
  return (event) => {
    const traceId = traceIdOf(event);
    const entry = entryOf(event);
    if (entry !== undefined) log.log({ ...entry, fields: { ...entry.fields, trace_id: traceId } });
  };
}

/** Undefined: the event is for metrics only. */
export function entryOf(event: ReliabilityEvent): LogEntry | undefined {
  switch (event.type) {
    case "subsystem_starting":
    case "subsystem_started":
    case "subsystem_stopping":
    case "configuration_reloaded":
    case "configuration_rejected":
    case "process_table_unreadable":
    case "process_table_readable_again":
    case "registry_unreadable":
    case "registry_readable_again":
    case "record_valid_again":
    case "record_invalid":
    case "intent_invalid":
    case "state_unwritable":
    case "log_lines_dropped":
    case "event_loop_late":
      return subsystemEntry(event);
    case "vm_created":
    case "vm_deleted":
    case "vm_starting":
    case "vm_started":
    case "vm_stopped":
    case "vm_exited":
    case "vm_adopted":
    case "vm_held":
    case "vm_released":
    case "hold_void":
    case "vm_unmarked":
    case "vm_record_differs":
    case "vm_hook_failed":
    case "vm_paused":
    case "stray_detected":
      return lifecycleEntry(event);
    case "monitoring_started":
    case "monitoring_stopped":
    case "probe_finished":
    case "health_check_failed":
    case "probe_unknown":
    case "marked_unhealthy":
    case "health_restored":
      return healthEntry(event);
    case "orphan_detected":
    case "recovery_starting":
    case "fenced":
    case "recovery_attempting":
    case "attempt_failed":
    case "recovery_successful":
    case "recovery_exhausted":
    case "recovery_blocked":
    case "brake_engaged":
    case "brake_released":
      return recoveryEntry(event);
    case "vm_state":
      return stateEntry(event);
    default:
      return unreachable(event);
  }
}

function subsystemEntry(event: SubsystemEvent): LogEntry {
  const line = speaker("reliability");
  switch (event.type) {
    case "subsystem_starting":
      return line("INFO", "starting reliability subsystem", { version: event.version, launcher: event.launcher });
    case "subsystem_started":
      return line("INFO", "reliability subsystem started", {
        version: event.version,
        vms: event.vms,
        adopted: event.adopted,
        launcher: event.launcher,
      });
    case "subsystem_stopping":
      return line("INFO", "stopping reliability subsystem", { vms: event.vms });
    case "configuration_reloaded":
      return line("INFO", "configuration reloaded", { changed: event.changed.join(",") });
    case "configuration_rejected":
      return line("ERROR", "configuration rejected", { error: event.error });
    case "process_table_unreadable":
      return line("ERROR", "process table unreadable", { error: event.error });
    case "process_table_readable_again":
      return line("INFO", "process table readable again", {});
    case "registry_unreadable":
      return line("ERROR", "registry unreadable", { path: event.path, error: event.error });
    case "registry_readable_again":
      return line("INFO", "registry readable again", { path: event.path });
    case "record_valid_again":
      return line("INFO", "vm record valid again", { vm_id: event.vmId });
    case "record_invalid":
      return line("ERROR", "vm record invalid", { vm_id: event.vmId, path: event.path, error: event.error });
    case "intent_invalid":
      return line("ERROR", "vm intent invalid", { vm_id: event.vmId, path: event.path, error: event.error });
    case "state_unwritable":
      return line("ERROR", "state unwritable", { error: event.error });
    case "log_lines_dropped":
      return line("WARN", "log lines dropped", { count: event.count });
    case "event_loop_late":
      return line("WARN", "event loop late", { lag: durationText(event.lagMs) });
    default:
      return unreachable(event);
  }
}

function lifecycleEntry(event: LifecycleEvent): LogEntry {
  const line = speaker("vm_lifecycle");
  switch (event.type) {
    case "vm_created":
      return line("INFO", "vm created", { vm_id: event.vmId });
    case "vm_deleted":
      return line("INFO", "vm deleted", { vm_id: event.vmId });
    case "vm_starting":
      return line("INFO", "starting vm", { vm_id: event.vmId, attempt: event.attempt });
    case "vm_started":
      return line("INFO", "vm started", {
        vm_id: event.vmId,
        process_id: processId(event.vmm, event.process),
        attempt: event.attempt,
        duration: durationText(event.durationMs),
      });
    case "vm_stopped":
      return line("INFO", "vm stopped", {
        vm_id: event.vmId,
        process_id: knownProcessId(event),
        duration: durationText(event.durationMs),
      });
    case "vm_exited":
      return line("INFO", "vm exited", {
        vm_id: event.vmId,
        process_id: knownProcessId(event),
        exit_code: event.exitCode ?? "unknown",
      });
    case "vm_adopted":
      return line("INFO", "vm adopted", { vm_id: event.vmId, process_id: processId(event.vmm, event.process) });
    case "vm_held":
      return line("WARN", "vm held", {
        vm_id: event.vmId,
        reason: event.reason,
        actor: event.actor,
        expires: event.expiresAt === undefined ? "never" : instantText(event.expiresAt),
      });
    case "vm_released":
      return line("WARN", "vm released", { vm_id: event.vmId });
    case "hold_void":
      return line("WARN", "vm hold without effect", { vm_id: event.vmId, reason: event.reason });
    case "vm_unmarked":
      return line("WARN", "vm process bears no mark", {
        vm_id: event.vmId,
        process_id: processId(event.vmm, event.process),
        remedy: "let what launch.argv runs keep the variables METALD_*, or use the systemd launcher",
      });
    case "vm_record_differs":
      return line("WARN", "vm record differs from running vm", {
        vm_id: event.vmId,
        changed: event.changed.join(","),
      });
    case "vm_hook_failed":
      return line("WARN", "vm hook failed", { vm_id: event.vmId, hook: event.hook, error: event.error });
    case "vm_paused":
      return event.ioError
        ? line("ERROR", "vm paused", { vm_id: event.vmId, reason: "io_error" })
        : line("WARN", "vm paused", { vm_id: event.vmId });
    case "stray_detected":
      return line("WARN", "stray vmm process detected", {
        process_id: processId(event.vmm, event.process),
        vmm: event.vmm,
        age: durationText(event.ageMs),
        socket_path: event.socketPath,
      });
    default:
      return unreachable(event);
  }
}

function healthEntry(event: HealthEvent): LogEntry | undefined {
  const line = speaker("vm_health");
  switch (event.type) {
    case "monitoring_started":
      return line("INFO", "started vm health monitoring", {
        vm_id: event.vmId,
        process_id: processId(event.vmm, event.process),
        socket_path: event.socketPath,
        interval: durationText(event.intervalMs),
      });
    case "monitoring_stopped":
      return line("INFO", "stopped vm health monitoring", {
        vm_id: event.vmId,
        process_id: processId(event.vmm, event.process),
      });
    case "probe_finished":
      return undefined;
    case "health_check_failed":
      return line("WARN", "vm health check failed", {
        vm_id: event.vmId,
        layer: event.layer,
        failure_count: event.failureCount,
        threshold: event.threshold,
        error: event.error,
        duration: durationText(event.durationMs),
      });
    case "probe_unknown":
      return line("WARN", "vm probe unknown", { vm_id: event.vmId, layer: event.layer, error: event.error });
    case "marked_unhealthy":
      return line("ERROR", "vm marked as unhealthy", {
        vm_id: event.vmId,
        consecutive_failures: event.consecutiveFailures,
        threshold: event.threshold,
        layer: event.layer,
      });
    case "health_restored":
      return line("INFO", "vm health restored", {
        vm_id: event.vmId,
        consecutive_successes: event.consecutiveSuccesses,
        downtime: durationText(event.downtimeMs),
      });
    default:
      return unreachable(event);
  }
}

function recoveryEntry(event: RecoveryEvent): LogEntry {
  const line = speaker("vm_recovery");
  switch (event.type) {
    case "orphan_detected":
      return line("ERROR", "orphaned vm detected", {
        vm_id: event.vmId,
        process_id: knownProcessId(event),
        reason: event.reason,
        evidence: event.evidence,
        last_seen: event.lastSeenAgoMs === undefined ? "never" : durationText(event.lastSeenAgoMs),
        downtime: durationText(event.downtimeMs),
        detect: event.detect,
      });
    case "recovery_starting":
      return line("INFO", "starting vm recovery", {
        vm_id: event.vmId,
        reason: event.reason,
        attempt: event.attempt,
        max_retries: event.maxRetries,
      });
    case "fenced":
      return line("INFO", "vm fenced", {
        vm_id: event.vmId,
        process_id: knownProcessId(event),
        fence_proof: event.proof,
      });
    case "recovery_attempting":
      return line("INFO", "attempting vm recovery", {
        vm_id: event.vmId,
        attempt: event.attempt,
        reason: event.reason,
        action: event.action,
      });
    case "attempt_failed":
      return line("WARN", "vm recovery attempt failed", {
        vm_id: event.vmId,
        attempt: event.attempt,
        max_retries: event.maxRetries,
        cause: event.cause,
        error: event.error,
        duration: durationText(event.durationMs),
        retry_delay: durationText(event.retryDelayMs),
      });
    case "recovery_successful":
      return line("INFO", "vm recovery successful", {
        vm_id: event.vmId,
        attempt: event.attempt,
        reason: event.reason,
        new_process_id: processId(event.vmm, event.process),
        incarnation: event.incarnation,
        total_duration: durationText(event.totalDurationMs),
        guest_memory: event.guestMemory,
      });
    case "recovery_exhausted":
      return line("ERROR", "vm recovery failed completely", {
        vm_id: event.vmId,
        attempts: event.attempts,
        error: event.error,
        rearm_interval: durationText(event.rearmIntervalMs),
      });
    case "recovery_blocked":
      return line("ERROR", "vm recovery blocked", {
        vm_id: event.vmId,
        reason: event.reason,
        remedy: event.remedy,
      });
    case "brake_engaged":
      return line("WARN", "mass failure brake engaged", {
        suspect_vms: event.suspectVms,
        total_vms: event.totalVms,
      });
    case "brake_released":
      return line("INFO", "mass failure brake released", {
        suspect_vms: event.suspectVms,
        total_vms: event.totalVms,
      });
    default:
      return unreachable(event);
  }
}

function stateEntry(event: StateEvent): LogEntry {
  return speaker("reliability")("INFO", "vm state", {
    vm_id: event.vmId,
    desired: event.desired,
    phase: event.phase,
    held: event.held,
    vmm: event.vmm,
    process_id: knownProcessId(event),
    attempts: event.attempts,
    for: durationText(event.forMs),
    why: event.why,
  });
}

function speaker(component: Component) {
  return (levelName: LevelName, msg: string, fields: LogFields): LogEntry => ({ levelName, component, msg, fields });
}

function knownProcessId(event: {
  readonly vmm: VmmKind;
  readonly process: ProcessIdentity | undefined;
}): string | undefined {
  return event.process === undefined ? undefined : processId(event.vmm, event.process);
}

/** Somebody else wrote the instant down, so it may be one that no calendar has. */
function instantText(instant: WallMs): string {
  const date = new Date(instant);
  return Number.isNaN(date.getTime()) ? "unknown" : date.toISOString();
}
