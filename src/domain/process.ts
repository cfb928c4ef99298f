/**
 * A process as the host shows it, and the identity that outlives no reuse of a pid.
 * @module
 */

import type { VmId, VmmKind } from "./vm_record.ts";

/**
 * One process, for ever: a pid is reused, a pid with its start time is not, and both mean nothing after a reboot.
 *
 * `startTicks` is field 22 of `/proc/<pid>/stat`: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
export interface ProcessIdentity {
  /** `/proc/sys/kernel/random/boot_id` */
  readonly bootId: string;
  readonly pid: number;
  readonly startTicks: number;
}

export function sameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startTicks === b.startTicks && a.bootId === b.bootId;
}

/** The form in which logs name a process: `<vmm>-<pid>-<start ticks>`. */
export function processId(vmm: VmmKind, identity: ProcessIdentity): string {
  return `${vmm}-${identity.pid}-${identity.startTicks}`;
}

/** The first letter of a process's state, as `/proc/<pid>/stat` gives it. */
export type ProcessState = "R" | "S" | "D" | "T" | "t" | "Z" | "X" | "I" | "P" | "W" | "K";

/** What `/proc` says about one process, unjudged. A dead process (`isDead`) has no facts. */
export interface ProcessFacts {
  readonly identity: ProcessIdentity;
  readonly parentPid: number;
  readonly sessionId: number;
  /** Real user id. */
  readonly uid: number;
  readonly state: ProcessState;
  /** Tasks that are neither Z nor X. A zombie leader with any is alive: they hold its files and its disks. */
  readonly liveTasks: number;
  readonly ageMs: number;
  /** Base name of the executable, as the kernel has it rather than as `argv[0]` claims; empty if unreadable. */
  readonly exe: string;
  readonly argv: readonly string[];
  /** The innermost systemd unit of its cgroup. */
  readonly unit: string | undefined;
  /** `METALD_VM_ID`; undefined when absent or when the environment cannot be read. */
  readonly vmId: VmId | undefined;
  /** `METALD_LAUNCH_HASH`: the record's `launchHash` at its start. */
  readonly launchHash: string | undefined;
  /** `METALD_INCARNATION`: which launch of the VM it descends from. */
  readonly incarnation: number | undefined;
}

/** Whether a process can neither run code nor hold a file: gone, or a zombie whose other tasks are gone too. */
export function isDead(state: ProcessState, liveTasks: number): boolean {
  return (state === "Z" || state === "X") && liveTasks === 0;
}

/** The environment variables by which a launch marks the processes of a VM. Children inherit them. */
export const VM_ID_VARIABLE = "METALD_VM_ID";
export const LAUNCH_HASH_VARIABLE = "METALD_LAUNCH_HASH";
export const INCARNATION_VARIABLE = "METALD_INCARNATION";
