/**
 * The outcome of one probe of one VM.
 *
 * Unknown is a third result: a probe that could not run says nothing about the VM, so it neither counts nor resets.
 * @module
 */

import type { ProcessState } from "./process.ts";
import type { GuestState } from "./vmm.ts";

/** Where a probe failed, in the order in which it looks. */
export type ProbeLayer = "process" | "socket" | "api" | "guest";

export interface ProbeFailure {
  readonly kind: "failure";
  /** The first layer that failed. */
  readonly layer: Exclude<ProbeLayer, "process">;
  readonly error: string;
  /** No answer at all from the API: missing, refused or mute. One half of a pair that permits force. */
  readonly apiSilent: boolean;
  /** Guest probes that failed, by kind. */
  readonly failedGuestProbes: readonly "tcp"[];
  /** Of the main process at the start of the probe; shown, and D excuses it. */
  readonly processState: ProcessState;
}

export type ProbeResult =
  | { readonly kind: "success" }
  | ProbeFailure
  | { readonly kind: "unknown"; readonly layer: ProbeLayer; readonly error: string }
  /** The main process is dead: proof. */
  | { readonly kind: "dead" }
  /** The main process's leader has ended but other tasks of it live on. */
  | { readonly kind: "zombie_leader"; readonly liveTasks: number }
  /** The VMM answered and says that its guest does not simply run. `raw` is its own word. */
  | { readonly kind: "guest"; readonly state: Exclude<GuestState, "running">; readonly raw: string };
