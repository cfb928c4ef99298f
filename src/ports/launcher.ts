/**
 * Starts VMs so that they outlive the agent.
 * @module
 */

import type { ProcessIdentity } from "../domain/process.ts";
import type { VmId, VmRecord } from "../domain/vm_record.ts";

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

export interface Launcher {
  readonly kind: "direct" | "systemd";
  launch(request: LaunchRequest): Promise<LaunchOutcome>;
  inspect(id: VmId): Promise<LauncherState>;
  /** How a launched process ended; undefined when nobody can tell any more, or when another started it. */
  exitOf(id: VmId, process: ProcessIdentity): Promise<ExitStatus | undefined>;
}
