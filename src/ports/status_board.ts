/**
 * What the agent holds to be true, for whoever asks from outside: `metald status` reads it.
 * @module
 */

import type { BlockedReason, VmPhase } from "../domain/event.ts";
import type { ProcessIdentity } from "../domain/process.ts";
import type { WallMs } from "../domain/time.ts";
import type { DesiredState, VmId, VmmKind } from "../domain/vm_record.ts";

export interface VmStatus {
  readonly id: VmId;
  readonly desired: DesiredState;
  readonly phase: VmPhase;
  readonly vmm: VmmKind;
  readonly process: ProcessIdentity | undefined;
  /** When the VM entered its phase. */
  readonly since: WallMs;
  readonly held: boolean;
  readonly heldBecause: string | undefined;
  readonly consecutiveFailures: number;
  readonly attempts: number;
  readonly nextAttemptAt: WallMs | undefined;
  readonly blockedReason: BlockedReason | undefined;
  /** What keeps it from being healthy, in a line. */
  readonly why: string | undefined;
}

/** Of many, the first ones, so that a status has a bound. */
export interface Some<T> {
  readonly count: number;
  readonly first: readonly T[];
}

/** Something stands where a record should, and is not used; the last good record of that VM, if any, is. */
export interface RefusedRecord {
  /** Undefined when the name gives no valid id. */
  readonly id: VmId | undefined;
  readonly path: string;
  /** In one line. */
  readonly error: string;
}

/** A hold or lease of which there is no VM: somebody believes that it holds one. */
export interface UnmatchedHold {
  readonly vmId: VmId;
  /** What its file says: the reason, or why it cannot be read. */
  readonly reason: string;
}

export interface HostStatus {
  readonly version: string;
  readonly launcher: "direct" | "systemd";
  readonly at: WallMs;
  readonly enabled: boolean;
  /** Why the registry cannot be believed; undefined: it can. */
  readonly registryUnreadable: string | undefined;
  readonly brakeEngaged: boolean;
  readonly refusedRecords: Some<RefusedRecord>;
  readonly unmatchedHolds: Some<UnmatchedHold>;
  readonly vms: readonly VmStatus[];
}

export interface StatusBoard {
  /** Replaces what was published before. It never blocks and never throws; a failure is tried again with the next status. */
  publish(status: HostStatus): void;
}
