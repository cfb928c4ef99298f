/**
 * What the agent keeps on disk about its own work.
 *
 * A save resolves once it outlives the agent, in time, and whole: whoever reads finds the old content or the new. What would do harm
 * were it lost in a crash of the host outlives that as well.
 * @module
 */

import type { HostState, RuntimeState } from "../domain/runtime_state.ts";
import type { VmId, VmRecord } from "../domain/vm_record.ts";

export type SaveOutcome = { readonly kind: "saved" } | { readonly kind: "failed"; readonly error: string };

export interface LoadedState {
  /** Of this boot only; what cannot be read is left out. */
  readonly vms: ReadonlyMap<VmId, RuntimeState>;
  readonly host: HostState | undefined;
}

export interface StateStore {
  load(): Promise<LoadedState>;
  saveVm(id: VmId, state: RuntimeState): Promise<SaveOutcome>;
  forgetVm(id: VmId): Promise<void>;
  saveHost(state: HostState): Promise<SaveOutcome>;
  /** Last good records, by id. They survive a reboot. */
  loadLastGood(): Promise<ReadonlyMap<VmId, VmRecord>>;
  saveLastGood(id: VmId, source: string): Promise<SaveOutcome>;
  forgetLastGood(id: VmId): Promise<void>;
  /** Contents of records with `restart: never` that were started once already, by id. They survive a reboot. */
  loadStartedOnce(): Promise<ReadonlyMap<VmId, string>>;
  saveStartedOnce(id: VmId, contentHash: string): Promise<SaveOutcome>;
  forgetStartedOnce(id: VmId): Promise<void>;
}
