/**
 * A state store in memory whose saves end when they are told to, or at once.
 * @module
 */

import type { HostState, RuntimeState } from "../../src/domain/runtime_state.ts";
import type { VmId, VmRecord } from "../../src/domain/vm_record.ts";
import type { LoadedState, SaveOutcome, StateStore } from "../../src/ports/state_store.ts";

export class SlowStore implements StateStore {
  readonly vms = new Map<VmId, RuntimeState>();
  host: HostState | undefined;
  /** Every save of a VM in the order in which it began, as `id:attempts`. */
  readonly begun: string[] = [];
  readonly forgotten: VmId[] = [];
  /** Saves wait for `next()`. */
  isSlow = false;
  isBroken = false;
  /** What must survive a reboot cannot be written. */
  isDurableBroken = false;
  readonly lastGood = new Map<VmId, string>();
  readonly #waiting: (() => void)[] = [];

  get savesWaiting(): number {
    return this.#waiting.length;
  }

  /** Ends the save that waits longest, and lets what follows from it begin. */
  async next(): Promise<void> {
    this.#waiting.shift()?.();
    await settle();
  }

  async load(): Promise<LoadedState> {
    return { vms: this.vms, host: this.host };
  }

  async saveVm(id: VmId, state: RuntimeState): Promise<SaveOutcome> {
    this.begun.push(`${id}:${state.attempts}`);
    if (this.isSlow) await new Promise<void>((end) => this.#waiting.push(end));
    if (this.isBroken) return { kind: "failed", error: "ENOSPC" };
    this.vms.set(id, state);
    return { kind: "saved" };
  }

  async forgetVm(id: VmId): Promise<void> {
    this.forgotten.push(id);
    this.vms.delete(id);
  }

  async saveHost(state: HostState): Promise<SaveOutcome> {
    if (this.isBroken) return { kind: "failed", error: "ENOSPC" };
    this.host = state;
    return { kind: "saved" };
  }

  async loadLastGood(): Promise<ReadonlyMap<VmId, VmRecord>> {
    return new Map();
  }

  async saveLastGood(id: VmId, source: string): Promise<SaveOutcome> {
    this.lastGood.set(id, source);
    return { kind: "saved" };
  }

  async forgetLastGood(id: VmId): Promise<void> {
    this.lastGood.delete(id);
  }

  async loadStartedOnce(): Promise<ReadonlyMap<VmId, string>> {
    return new Map();
  }

  async saveStartedOnce(): Promise<SaveOutcome> {
    return this.isDurableBroken ? { kind: "failed", error: "EROFS" } : { kind: "saved" };
  }

  async forgetStartedOnce(): Promise<void> {}
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
}
