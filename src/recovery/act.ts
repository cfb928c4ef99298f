/**
 * What carrying out an act needs of the world, beside the ports: the loop provides it per VM.
 * @module
 */

import type { BlockedReason } from "../domain/event.ts";
import type { ProcessIdentity } from "../domain/process.ts";
import type { LaunchIntent } from "../domain/runtime_state.ts";
import type { VmId, VmRecord } from "../domain/vm_record.ts";
import type { ProbePorts } from "../health/probe.ts";
import type { DiskHolders, ExaminedDisk } from "../ports/disk_holders.ts";
import type { Hooks } from "../ports/hooks.ts";
import type { Host } from "../ports/host.ts";
import type { Launcher } from "../ports/launcher.ts";
import type { ProcessScan } from "../ports/process_table.ts";
import type { Report } from "../ports/report.ts";
import type { SaveOutcome } from "../ports/state_store.ts";
import type { EffectivePolicy } from "./effective_policy.ts";
import type { ActPurpose, FreshIntent } from "./fresh_intent.ts";
import type { Observation } from "./observation.ts";
import type { Users } from "./ownership.ts";
import type { Main } from "./vm.ts";

export interface ActPorts extends ProbePorts {
  readonly launcher: Launcher;
  readonly diskHolders: DiskHolders;
  readonly hooks: Hooks;
  readonly host: Host;
  readonly report: Report;
}

/** What must be on disk about a launch. */
export interface LaunchMemory {
  readonly attempts: number;
  readonly incarnation: number;
  readonly main: Main | undefined;
  readonly launchIntent: LaunchIntent | undefined;
}

export interface ActWorld {
  readonly ports: ActPorts;
  readonly users: Users;
  /** Reads record, holds and leases from disk. */
  freshIntent(purpose: ActPurpose): Promise<FreshIntent>;
  policyFor(record: VmRecord): EffectivePolicy;
  /** A scan of the process table that begins after the call; shared with whoever asks in the meantime. */
  scan(): Promise<ProcessScan>;
  /** Outlives the agent from when it resolves. */
  remember(memory: LaunchMemory): Promise<SaveOutcome>;
  /** Durable: this content of the record has been started. */
  rememberStartedOnce(record: VmRecord): Promise<SaveOutcome>;
  /** It was not started after all. */
  forgetStartedOnce(): Promise<void>;
  /** Claims the disks of a VM until it is seen healthy or is given up; the VM that has claimed one of them already, if any. */
  claimDisks(disks: readonly ExaminedDisk[]): VmId | undefined;
  /** Tells the rules how far the act has come. */
  observe(observation: Observation): void;
  /** Aborts when the act is to end at its next safe point: the agent stops, or intent changed. */
  readonly signal: AbortSignal;
  /** Looks at the other VMs first, so that the brake can see. Undefined: force may be used now. */
  forceRefusal(): Promise<BlockedReason | "braked" | undefined>;
  isBraked(): boolean;
  /** Counts a forced stop, on disk, before it happens, unless this hour's are used up. */
  countForcedStop(): Promise<SaveOutcome | { readonly kind: "exhausted" }>;
}

/** An act's subject. */
export interface ActSubject {
  readonly id: VmId;
  /** The main process that is known to live. */
  readonly main: Main | undefined;
  /** The main process whose death was seen last. */
  readonly lostProcess: ProcessIdentity | undefined;
  /** The launch whose main is known to be dead. */
  readonly deadIncarnation: number | undefined;
}
