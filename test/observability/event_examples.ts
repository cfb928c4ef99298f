/**
 * One event or more of every type, with every form that a line can take. The type demands each member of the union.
 * @module
 */

import type { ReliabilityEvent } from "../../src/domain/event.ts";
import { wallMs } from "../../src/domain/time.ts";

type EventOf<Type extends ReliabilityEvent["type"]> = Extract<ReliabilityEvent, { readonly type: Type }>;

const process = { bootId: "5f0c4c1e-8f0e-4a53-9d6c-6f1c7a1f0b11", pid: 4242, startTicks: 987654 };
const successor = { ...process, pid: 4300, startTicks: 990001 };
const vmId = "vm-123";
const vmm = "firecracker";

export const EVENT_EXAMPLES: { readonly [Type in ReliabilityEvent["type"]]: readonly EventOf<Type>[] } = {
  subsystem_starting: [{ type: "subsystem_starting", version: "0.1.0", launcher: "direct" }],
  subsystem_started: [{ type: "subsystem_started", version: "0.1.0", launcher: "direct", vms: 3, adopted: 2 }],
  subsystem_stopping: [{ type: "subsystem_stopping", vms: 3 }],
  configuration_reloaded: [
    { type: "configuration_reloaded", changed: ["health_check.interval", "log.level"] },
    { type: "configuration_reloaded", changed: [] },
  ],
  configuration_rejected: [
    {
      type: "configuration_rejected",
      error:
        'Cannot use /etc/metald/config.jsonc as "health_check.interval" must be a duration with a unit: ' +
        'current value is "30"',
    },
  ],
  process_table_unreadable: [{ type: "process_table_unreadable", error: "process 1 is not in it" }],
  process_table_readable_again: [{ type: "process_table_readable_again" }],
  registry_unreadable: [
    { type: "registry_unreadable", path: "/var/lib/metald/vms", error: "ENOENT: no such file or directory" },
  ],
  registry_readable_again: [{ type: "registry_readable_again", path: "/var/lib/metald/vms" }],
  record_valid_again: [{ type: "record_valid_again", vmId: "vm-bad" }],
  record_invalid: [
    {
      type: "record_invalid",
      vmId: "vm-bad",
      path: "/var/lib/metald/vms/vm-bad.json",
      error: 'Cannot read vm-bad.json as "vmm" must be a known VMM:\ncurrent value is "xen"',
    },
    { type: "record_invalid", vmId: undefined, path: "/var/lib/metald/vms/..x.json", error: "not a name of a VM" },
  ],
  intent_invalid: [
    { type: "intent_invalid", vmId: "vm-7", path: "/run/metald/leases/vm-7.json", error: "no JSON" },
    { type: "intent_invalid", vmId: undefined, path: "/var/lib/metald/state/holds/_all.json", error: "no JSON" },
  ],
  state_unwritable: [{ type: "state_unwritable", error: "ENOSPC: no space left on device, write" }],
  log_lines_dropped: [{ type: "log_lines_dropped", count: 17 }],
  event_loop_late: [{ type: "event_loop_late", lagMs: 1_250 }],
  vm_created: [
    { type: "vm_created", vmId },
    { type: "vm_created", vmId: "vm-12" },
  ],
  vm_deleted: [{ type: "vm_deleted", vmId }],
  vm_starting: [{ type: "vm_starting", vmId, attempt: 1 }],
  vm_started: [{ type: "vm_started", vmId, vmm, process, durationMs: 350, attempt: 1 }],
  vm_stopped: [
    { type: "vm_stopped", vmId, vmm, process, durationMs: 8_400 },
    { type: "vm_stopped", vmId, vmm, process: undefined, durationMs: 0 },
  ],
  vm_exited: [
    { type: "vm_exited", vmId, vmm, process, exitCode: 0 },
    { type: "vm_exited", vmId, vmm, process: undefined, exitCode: undefined },
  ],
  vm_adopted: [{ type: "vm_adopted", vmId, vmm, process }],
  vm_held: [
    {
      type: "vm_held",
      vmId,
      reason: "kernel upgrade",
      actor: "alice",
      expiresAt: wallMs(Date.UTC(2026, 0, 2, 5, 0, 0)),
    },
    { type: "vm_held", vmId, reason: "", actor: "bob", expiresAt: undefined },
  ],
  vm_released: [{ type: "vm_released", vmId }],
  hold_void: [{ type: "hold_void", vmId: "vm-typo", reason: "no VM has this id" }],
  vm_unmarked: [{ type: "vm_unmarked", vmId, vmm, process }],
  vm_record_differs: [{ type: "vm_record_differs", vmId, changed: ["launch", "disks"] }],
  vm_hook_failed: [{ type: "vm_hook_failed", vmId, hook: "after_stop", error: "exit code 1: no such tap" }],
  vm_paused: [
    { type: "vm_paused", vmId, ioError: false },
    { type: "vm_paused", vmId, ioError: true },
  ],
  stray_detected: [
    { type: "stray_detected", process, vmm: "qemu", ageMs: 754_000, socketPath: "/run/old.qmp" },
    { type: "stray_detected", process, vmm: "cloud-hypervisor", ageMs: 754_000, socketPath: undefined },
  ],
  monitoring_started: [
    {
      type: "monitoring_started",
      vmId,
      vmm,
      process,
      socketPath: "/run/vms/vm-123.sock",
      intervalMs: 30_000,
    },
    { type: "monitoring_started", vmId: "worker", vmm: "process", process, socketPath: undefined, intervalMs: 30_000 },
  ],
  monitoring_stopped: [{ type: "monitoring_stopped", vmId, vmm, process }],
  probe_finished: [{ type: "probe_finished", vmId, outcome: "success", durationMs: 1.2 }],
  health_check_failed: [
    {
      type: "health_check_failed",
      vmId,
      layer: "api",
      failureCount: 2,
      threshold: 3,
      error: 'Cannot read the answer as "state" must be a text: current value is 5',
      durationMs: 5_000.4,
    },
  ],
  probe_unknown: [{ type: "probe_unknown", vmId, layer: "socket", error: "EMFILE: too many open files" }],
  marked_unhealthy: [{ type: "marked_unhealthy", vmId, consecutiveFailures: 3, threshold: 3, layer: "api" }],
  health_restored: [{ type: "health_restored", vmId, consecutiveSuccesses: 2, downtimeMs: 125_000 }],
  orphan_detected: [
    {
      type: "orphan_detected",
      vmId,
      vmm,
      process,
      reason: "process_dead",
      evidence: "pid 4242 is gone",
      lastSeenAgoMs: 12_300,
      downtimeMs: 8.4,
      detect: "event",
      detectionDelayMs: 8.4,
    },
    {
      type: "orphan_detected",
      vmId: "customer-vm",
      vmm: "qemu",
      process: undefined,
      reason: "process_mismatch",
      evidence: "/run/vms/customer-vm.qmp is served by pid 77 (socat)",
      lastSeenAgoMs: undefined,
      downtimeMs: 60_000,
      detect: "sweep",
      detectionDelayMs: undefined,
    },
  ],
  recovery_starting: [{ type: "recovery_starting", vmId, reason: "process_dead", attempt: 1, maxRetries: 3 }],
  fenced: [
    { type: "fenced", vmId, vmm, process, proof: "exited" },
    { type: "fenced", vmId: "customer-vm", vmm: "qemu", process: undefined, proof: "none_found" },
  ],
  recovery_attempting: [{ type: "recovery_attempting", vmId, attempt: 1, reason: "process_dead", action: "restart" }],
  attempt_failed: [
    {
      type: "attempt_failed",
      vmId,
      recovery: true,
      attempt: 1,
      maxRetries: 3,
      cause: "process_died",
      error: "exit code 152",
      durationMs: 412,
      retryDelayMs: 10_480,
    },
    {
      type: "attempt_failed",
      vmId,
      recovery: false,
      attempt: 2,
      maxRetries: 3,
      cause: "launch_refused",
      error: "spawn /usr/bin/firecracker ENOENT",
      durationMs: 1.5,
      retryDelayMs: 20_000,
    },
  ],
  recovery_successful: [
    {
      type: "recovery_successful",
      vmId,
      vmm,
      process: successor,
      attempt: 2,
      reason: "process_dead",
      incarnation: 5,
      totalDurationMs: 1_250,
      guestMemory: "lost",
    },
  ],
  recovery_exhausted: [
    { type: "recovery_exhausted", vmId, attempts: 3, error: "exit code 152", rearmIntervalMs: 300_000 },
  ],
  recovery_blocked: [
    {
      type: "recovery_blocked",
      vmId,
      reason: "data_loss_not_allowed",
      remedy: 'its VMM lives; end it yourself, or set "allow_data_loss" in its record',
    },
  ],
  brake_engaged: [{ type: "brake_engaged", suspectVms: 5, totalVms: 12 }],
  brake_released: [{ type: "brake_released", suspectVms: 1, totalVms: 12 }],
  vm_state: [
    {
      type: "vm_state",
      vmId,
      desired: "running",
      phase: "backing_off",
      held: false,
      vmm,
      process: undefined,
      attempts: 2,
      forMs: 4_000,
      why: "next attempt in 6s",
    },
    {
      type: "vm_state",
      vmId,
      desired: "running",
      phase: "healthy",
      held: true,
      vmm,
      process,
      attempts: 0,
      forMs: 86_400_000,
      why: undefined,
    },
  ],
};
