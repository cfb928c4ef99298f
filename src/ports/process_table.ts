/**
 * The processes of the host. The table reports facts; to whom a process belongs is a rule of the core.
 * @module
 */

import type { ProcessFacts, ProcessIdentity, ProcessState } from "../domain/process.ts";
import type { MonotonicMs } from "../domain/time.ts";

export type ProcessScan =
  | {
      readonly kind: "scanned";
      /** Nothing that began before this instant, and lives, is missing. */
      readonly startedAt: MonotonicMs;
      /** Every process that is not dead and could concern a VM; those of kernel threads may be left out. */
      readonly processes: readonly ProcessFacts[];
    }
  | { readonly kind: "unknown"; readonly error: string };

export type Inspection =
  | { readonly kind: "alive"; readonly state: ProcessState; readonly cpuMs: number }
  /** Gone, reused by another process, or a zombie with no task left. */
  | { readonly kind: "dead" }
  | { readonly kind: "zombie_leader"; readonly liveTasks: number }
  | { readonly kind: "unknown"; readonly error: string };

export type SignalOutcome =
  | { readonly kind: "sent" }
  /** The identity names no living process any more. Nothing was signalled. */
  | { readonly kind: "gone" }
  | { readonly kind: "no_permission" }
  | { readonly kind: "unknown"; readonly error: string };

export interface ProcessTable {
  /** The identity of this boot: every identity of another boot is dead. */
  readonly bootId: string;
  /** Reads the whole table, beginning after the call. */
  scan(): Promise<ProcessScan>;
  /** The facts of one process; undefined when it is dead or cannot be read. */
  describe(identity: ProcessIdentity): Promise<ProcessFacts | undefined>;
  /** Whether one process lives, cheaply. */
  inspect(identity: ProcessIdentity): Promise<Inspection>;
  /** Signals exactly this process: its identity is verified so that a reused pid is never hit. */
  signal(identity: ProcessIdentity, signal: "SIGTERM" | "SIGKILL"): Promise<SignalOutcome>;
  /** Where in the kernel a process sleeps (`/proc/<pid>/wchan`), for a person; undefined when unknown. */
  sleepsIn(identity: ProcessIdentity): Promise<string | undefined>;
}
