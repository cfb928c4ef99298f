/**
 * What an operator or an orchestrator wants of one VM, as the registry records it.
 *
 * The record is intent, never evidence: whether the VM runs is asked of the host.
 * @module
 */

import type { HealthPolicy, RecoveryPolicy } from "./policy.ts";

/** Matches `VM_ID_PATTERN`; also the name of the record's file and of everything kept about the VM. */
export type VmId = string;

export const VM_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export type DesiredState = "running" | "paused" | "stopped";

/** `process` is any program: no API, no guest of which the agent could ask. */
export type VmmKind = "firecracker" | "cloud-hypervisor" | "qemu" | "process";

/** `on-failure`: not after exit code 0. `never`: once per content of the record. */
export type RestartPolicy = "always" | "on-failure" | "never";

/** How a program is started that runs the VM. */
export interface ArgvLaunch {
  readonly kind: "argv";
  /** The program, absolute, and its arguments. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** A user's name; undefined is the agent's own user. */
  readonly user: string | undefined;
  /** Files and sockets unlinked before a start, once the old VMM is proven gone. Absolute paths. */
  readonly cleanup: readonly string[];
  readonly beforeStart: readonly (readonly string[])[];
  readonly afterStop: readonly (readonly string[])[];
  readonly hookTimeoutMs: number;
  /** Properties of the VM's unit beside those that metald sets; a list is one assignment each. Absent: none. */
  readonly properties?: Readonly<Record<string, readonly string[]>>;
}

/** A systemd unit that somebody else wrote and that runs the VM. */
export interface UnitLaunch {
  readonly kind: "unit";
  readonly unit: string;
}

export type Launch = ArgvLaunch | UnitLaunch;

export interface Disk {
  readonly path: string;
  /** A shared disk may be open for writing elsewhere when the VM starts. */
  readonly shared: boolean;
}

export interface TcpGuestProbe {
  readonly host: string;
  readonly port: number;
}

/** Guest probes of different kinds; two that fail together permit force where loss is allowed. */
export interface GuestProbes {
  readonly tcp?: TcpGuestProbe;
}

export interface VmRecord {
  readonly id: VmId;
  readonly desired: DesiredState;
  readonly vmm: VmmKind;
  /** The API or QMP socket; undefined for `process`. */
  readonly socket: string | undefined;
  /** Undefined: the VM is watched, never started and never stopped. */
  readonly launch: Launch | undefined;
  readonly disks: readonly Disk[];
  /** Higher first when many wait. */
  readonly priority: number;
  readonly restart: RestartPolicy;
  /** `force`: a desired stop may end with SIGKILL although the guest ignored the request. */
  readonly stop: "ask" | "force";
  readonly guest: GuestProbes;
  /** Overrides of the host's policy for this VM alone. */
  readonly healthCheck: Partial<HealthPolicy>;
  readonly recovery: Partial<VmRecoveryPolicy>;
  /** Changes when anything in the record changes; formatting and comments do not count. Hexadecimal. */
  readonly contentHash: string;
  /** Changes when `vmm`, `socket`, `launch` or `disks` change: what a running VM was started from. Hexadecimal. */
  readonly launchHash: string;
}

/** The part of the recovery policy that concerns one VM and that its record may override. */
export type VmRecoveryPolicy = Omit<
  RecoveryPolicy,
  "detectionIntervalMs" | "maxConcurrentRecoveries" | "maxForcedStops" | "brake"
>;
