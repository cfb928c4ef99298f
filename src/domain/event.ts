/**
 * Everything the reliability subsystem reports, as one union: log lines and metrics are made from it and from nothing else.
 *
 * Values are facts with their units; how they are written (`process_id=`, `1.25s`) is decided where they are written.
 * @module
 */

import type { ProbeLayer } from "./probe_result.ts";
import type { ProcessIdentity } from "./process.ts";
import type { WallMs } from "./time.ts";
import type { VmId, VmmKind } from "./vm_record.ts";

export type OrphanReason =
  | "process_dead"
  | "process_mismatch"
  | "guest_not_running"
  | "socket_unreachable"
  | "health_check_failed";

export type BlockedReason =
  /** A suspicion that would need force, which the operator did not allow. */
  | "data_loss_not_allowed"
  /** Force is allowed, but no second independent signal agrees. */
  | "second_signal_missing"
  /** Force is allowed and agreed, but this hour's forced stops are used up. */
  | "forced_stops_exhausted"
  | "unfenceable"
  | "duplicate"
  /** Some process looks like this VM's and is not: another user's, or named like it. */
  | "lookalike"
  /** Another process serves the VM's socket. */
  | "socket_in_use"
  | "disk_in_use"
  | "disk_unavailable"
  | "no_permission"
  | "ignores_shutdown"
  /** Desired `paused` and dead: a start would run it. */
  | "desired_paused"
  /** No `launch` in the record: there is nothing to start or to stop it with. */
  | "no_launch"
  /** The process table, the launcher or the intent could not be read, so nothing is proven. */
  | "unproven"
  /** What must be on disk before a launch could not be written. */
  | "state_unwritable"
  /** The source of a finished migration. */
  | "migrated"
  /** Somebody else launched the VMM that says that no guest runs in it. */
  | "foreign_vmm";

/** How a process was proven gone: it exited, its control group is empty, or a scan found none of the VM. */
export type FenceProof = "exited" | "cgroup_empty" | "none_found";

/** Why an attempt ended without a healthy VM. */
export type AttemptFailure =
  | "launch_refused"
  | "launch_unknown"
  | "process_died"
  | "guest_not_running"
  | "hook_failed"
  | "cleanup_failed"
  | "timeout"
  /** The record, a hold or a lease changed, or the host began to shut down: not counted against the VM. */
  | "abandoned";

export type DetectionSource = "event" | "sweep";

/** The states of one VM; `held` is a flag beside them. */
export const VM_PHASES = [
  "pending",
  "starting",
  "verifying",
  "healthy",
  "suspect",
  "orphaned",
  "backing_off",
  "fencing",
  "stopped",
  "stopping",
  "paused",
  "paused_io",
  "blocked",
  "unfenceable",
  "failed",
] as const;

export type VmPhase = (typeof VM_PHASES)[number];

interface OfVm {
  readonly vmId: VmId;
}

interface OfProcess extends OfVm {
  readonly vmm: VmmKind;
  readonly process: ProcessIdentity;
}

export type SubsystemEvent =
  | { readonly type: "subsystem_starting"; readonly version: string; readonly launcher: string }
  | {
      readonly type: "subsystem_started";
      readonly version: string;
      readonly launcher: string;
      readonly vms: number;
      readonly adopted: number;
    }
  | { readonly type: "subsystem_stopping"; readonly vms: number }
  | { readonly type: "configuration_reloaded"; readonly changed: readonly string[] }
  | { readonly type: "configuration_rejected"; readonly error: string }
  | { readonly type: "registry_unreadable"; readonly path: string; readonly error: string }
  /** Nothing can be said of any VM, and nothing is started, until it can be read. */
  | { readonly type: "process_table_unreadable"; readonly error: string }
  | { readonly type: "process_table_readable_again" }
  | { readonly type: "registry_readable_again"; readonly path: string }
  | ({ readonly type: "record_valid_again" } & OfVm)
  | {
      readonly type: "record_invalid";
      /** Undefined when the file's name gives no id. */
      readonly vmId: VmId | undefined;
      readonly path: string;
      readonly error: string;
    }
  /** A hold or lease file that does not parse or must not be trusted: it counts as held. */
  | { readonly type: "intent_invalid"; readonly vmId: VmId | undefined; readonly path: string; readonly error: string }
  | { readonly type: "state_unwritable"; readonly error: string }
  | { readonly type: "log_lines_dropped"; readonly count: number }
  | { readonly type: "event_loop_late"; readonly lagMs: number };

export type LifecycleEvent =
  | ({ readonly type: "vm_created" } & OfVm)
  | ({ readonly type: "vm_deleted" } & OfVm)
  | ({ readonly type: "vm_starting"; readonly attempt: number } & OfVm)
  | ({ readonly type: "vm_started"; readonly durationMs: number; readonly attempt: number } & OfProcess)
  | ({
      readonly type: "vm_stopped";
      readonly vmm: VmmKind;
      readonly process: ProcessIdentity | undefined;
      readonly durationMs: number;
    } & OfVm)
  | ({
      readonly type: "vm_exited";
      readonly vmm: VmmKind;
      readonly process: ProcessIdentity | undefined;
      /** Undefined: nobody knows. */
      readonly exitCode: number | undefined;
    } & OfVm)
  | ({ readonly type: "vm_adopted" } & OfProcess)
  | ({
      readonly type: "vm_held";
      readonly reason: string;
      readonly actor: string;
      readonly expiresAt: WallMs | undefined;
    } & OfVm)
  | ({ readonly type: "vm_released" } & OfVm)
  /** A hold that holds nothing, though whoever wrote it believes so. Undefined: it is of every VM. */
  | { readonly type: "hold_void"; readonly vmId: VmId | undefined; readonly reason: string }
  /** Its environment does not say whose it is: a wrapper has cleared it. */
  | ({ readonly type: "vm_unmarked" } & OfProcess)
  | ({ readonly type: "vm_record_differs"; readonly changed: readonly string[] } & OfVm)
  | ({ readonly type: "vm_hook_failed"; readonly hook: string; readonly error: string } & OfVm)
  /** `ioError`: the VMM stopped the guest since its disk failed. */
  | ({ readonly type: "vm_paused"; readonly ioError: boolean } & OfVm)
  | {
      readonly type: "stray_detected";
      readonly process: ProcessIdentity;
      readonly vmm: VmmKind;
      readonly ageMs: number;
      readonly socketPath: string | undefined;
    };

export type HealthEvent =
  | ({
      readonly type: "monitoring_started";
      readonly socketPath: string | undefined;
      readonly intervalMs: number;
    } & OfProcess)
  | ({ readonly type: "monitoring_stopped" } & OfProcess)
  /** Every finished probe; log lines come from failures until the verdict only. */
  | ({
      readonly type: "probe_finished";
      readonly outcome: "success" | "failure" | "unknown";
      readonly durationMs: number;
    } & OfVm)
  | ({
      readonly type: "health_check_failed";
      readonly layer: ProbeLayer;
      readonly failureCount: number;
      readonly threshold: number;
      readonly error: string;
      readonly durationMs: number;
    } & OfVm)
  | ({ readonly type: "probe_unknown"; readonly layer: ProbeLayer; readonly error: string } & OfVm)
  | ({
      readonly type: "marked_unhealthy";
      readonly consecutiveFailures: number;
      readonly threshold: number;
      readonly layer: ProbeLayer;
    } & OfVm)
  | ({
      readonly type: "health_restored";
      readonly consecutiveSuccesses: number;
      readonly downtimeMs: number;
    } & OfVm);

export type RecoveryEvent =
  | ({
      readonly type: "orphan_detected";
      readonly vmm: VmmKind;
      readonly process: ProcessIdentity | undefined;
      readonly reason: OrphanReason;
      /** One line that says what was seen, for a person. */
      readonly evidence: string;
      /** Since it was last seen well; undefined: never by this agent. */
      readonly lastSeenAgoMs: number | undefined;
      readonly downtimeMs: number;
      readonly detect: DetectionSource;
      /** From the earliest sign of the loss that this agent could have had to this report; undefined: not known. */
      readonly detectionDelayMs: number | undefined;
    } & OfVm)
  | ({
      readonly type: "recovery_starting";
      readonly reason: OrphanReason;
      readonly attempt: number;
      readonly maxRetries: number;
    } & OfVm)
  | ({
      readonly type: "fenced";
      readonly vmm: VmmKind;
      readonly process: ProcessIdentity | undefined;
      readonly proof: FenceProof;
    } & OfVm)
  | ({
      readonly type: "recovery_attempting";
      readonly attempt: number;
      readonly reason: OrphanReason;
      readonly action: "restart";
    } & OfVm)
  /** Both a failed recovery and a failed first start; `recovery` tells which. */
  | ({
      readonly type: "attempt_failed";
      readonly recovery: boolean;
      readonly attempt: number;
      readonly maxRetries: number;
      readonly cause: AttemptFailure;
      readonly error: string;
      readonly durationMs: number;
      readonly retryDelayMs: number;
    } & OfVm)
  | ({
      readonly type: "recovery_successful";
      readonly attempt: number;
      readonly reason: OrphanReason;
      readonly incarnation: number;
      readonly totalDurationMs: number;
      /** Whether the guest kept its memory: never, after a restart. */
      readonly guestMemory: "lost";
    } & OfProcess)
  | ({
      readonly type: "recovery_exhausted";
      readonly attempts: number;
      readonly error: string;
      readonly rearmIntervalMs: number;
    } & OfVm)
  | ({
      readonly type: "recovery_blocked";
      readonly reason: BlockedReason;
      /** What a person can do, and what was seen. */
      readonly remedy: string;
    } & OfVm)
  | { readonly type: "brake_engaged"; readonly suspectVms: number; readonly totalVms: number }
  | { readonly type: "brake_released"; readonly suspectVms: number; readonly totalVms: number };

/** One line per VM of what the agent holds to be true, on request. */
export interface StateEvent {
  readonly type: "vm_state";
  readonly vmId: VmId;
  readonly desired: string;
  readonly phase: VmPhase;
  readonly held: boolean;
  readonly vmm: VmmKind;
  readonly process: ProcessIdentity | undefined;
  readonly attempts: number;
  readonly forMs: number;
  readonly why: string | undefined;
}

export type ReliabilityEvent = SubsystemEvent | LifecycleEvent | HealthEvent | RecoveryEvent | StateEvent;
