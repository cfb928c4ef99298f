/**
 * Starts VMs so that they outlive the agent.
 * @module
 */

import type { ProcessIdentity } from "../domain/process.ts";
import type { VmRecord } from "../domain/vm_record.ts";

export interface LaunchRequest {
  readonly record: VmRecord;
  /** Number of this launch of the VM, handed on as `METALD_INCARNATION`. */
  readonly incarnation: number;
}

export type LaunchOutcome =
  /** The process that was started: the VMM itself, or what will become or start it. */
  | { readonly kind: "launched"; readonly process: ProcessIdentity }
  /** Nothing was started, and nothing will be. */
  | { readonly kind: "refused"; readonly error: string }
  /** It may have been started, or may still be. */
  | { readonly kind: "unknown"; readonly error: string };

export type LauncherState =
  /** Nothing of this VM runs in the launcher, and no job is queued. */
  | { readonly kind: "idle" }
  | { readonly kind: "busy"; readonly detail: string }
  | { readonly kind: "unknown"; readonly error: string };

/** How a process ended: exactly one of the two is defined. */
export interface ExitStatus {
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

export type UnitStop = { readonly kind: "stopped" } | { readonly kind: "failed"; readonly error: string };

export interface Launcher {
  readonly kind: "direct" | "systemd";
  launch(request: LaunchRequest): Promise<LaunchOutcome>;
  inspect(record: VmRecord): Promise<LauncherState>;
  /** Where a person finds what a VM has said: a command or a path. */
  consoleOf(record: VmRecord): string;
  /** How a launched process ended; undefined when nobody can tell any more, or when another started it. */
  exitOf(record: VmRecord, process: ProcessIdentity): Promise<ExitStatus | undefined>;
  /**
   * Stops the unit that a record names in `launch.systemd_unit`, and all of its processes: signals to them would only make its manager
   * start them again.
   */
  stopUnit(unit: string): Promise<UnitStop>;
}
