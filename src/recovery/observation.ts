/**
 * What is seen of a VM, and what the acts on it came to: the inputs of its life.
 *
 * Pure.
 * @module
 */

import type { AttemptFailure, BlockedReason, DetectionSource } from "../domain/event.ts";
import type { ProbeResult } from "../domain/probe_result.ts";
import type { ProcessIdentity } from "../domain/process.ts";
import type { ExitStatus } from "../ports/launcher.ts";
import type { Main } from "./vm.ts";

/** What a look at the host showed of a VM on which no act is under way. */
export type Look =
  | { readonly kind: "running"; readonly main: Main; readonly previousMainDead: boolean }
  | { readonly kind: "zombie_leader"; readonly main: Main; readonly liveTasks: number }
  | { readonly kind: "duplicate"; readonly mains: readonly ProcessIdentity[] }
  /**
   * No main process lives. `socketServed`: somebody else answers at its socket. `exit` and `evidence` tell of the main that was known;
   * `remnants` counts owned processes that are left.
   */
  | {
      readonly kind: "dead";
      readonly exit: ExitStatus | undefined;
      readonly socketServed: boolean;
      readonly remnants: number;
      readonly evidence: string;
      readonly detect: DetectionSource;
      readonly detectionDelayMs: number | undefined;
    };

/** What a restart came to. */
export type RestartOutcome =
  | { readonly kind: "healthy"; readonly main: Main }
  /** It lives and was not seen healthy before the slot had to be released. */
  | { readonly kind: "slow"; readonly main: Main }
  /** Somebody else runs it already. */
  | { readonly kind: "found"; readonly main: Main }
  /** The last look before force showed a healthy VM. */
  | { readonly kind: "well_again" }
  | {
      readonly kind: "attempt_failed";
      readonly cause: AttemptFailure;
      readonly error: string;
      /** Set when what was launched ran and ended by itself. */
      readonly exit: { readonly process: ProcessIdentity; readonly status: ExitStatus | undefined } | undefined;
      /** What stood in its way once it had been announced: more attempts would not help. */
      readonly blocked?: { readonly reason: BlockedReason; readonly detail: string };
    }
  | { readonly kind: "blocked"; readonly reason: BlockedReason; readonly detail: string }
  | { readonly kind: "unfenceable"; readonly detail: string }
  /** Nothing was done: intent changed or could not be read, the host shuts down, the brake engaged, the agent stops. */
  | { readonly kind: "abandoned"; readonly detail: string };

/** What carrying out a desired stop came to. */
export type StopOutcome =
  | { readonly kind: "stopped"; readonly durationMs: number }
  | { readonly kind: "blocked"; readonly reason: BlockedReason; readonly detail: string }
  | { readonly kind: "unfenceable"; readonly detail: string }
  | { readonly kind: "abandoned"; readonly detail: string };

export type Observation =
  | { readonly type: "looked"; readonly look: Look }
  | {
      readonly type: "probed";
      readonly identity: ProcessIdentity;
      readonly result: ProbeResult;
      readonly durationMs: number;
    }
  /** The record in the situation is new; `changed` names the parts with which a running VM was started. */
  | { readonly type: "record_changed"; readonly contentChanged: boolean; readonly changed: readonly string[] }
  | { readonly type: "restart_began" }
  | { readonly type: "attempt_began"; readonly attempt: number; readonly incarnation: number }
  /** The act is about to signal the main process. */
  | { readonly type: "ending_main" }
  | { readonly type: "launched"; readonly main: Main }
  | { readonly type: "restart_ended"; readonly outcome: RestartOutcome }
  | { readonly type: "stop_began" }
  | { readonly type: "stop_ended"; readonly outcome: StopOutcome };
