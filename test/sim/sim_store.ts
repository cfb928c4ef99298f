/**
 * The agent's own two directories: runtime state, which a reboot empties, and durable state, which it does not.
 * @module
 */

import type { HostState, RuntimeState } from "../../src/domain/runtime_state.ts";
import type { VmRecord } from "../../src/domain/vm_record.ts";
import type { LoadedState, SaveOutcome } from "../../src/ports/state_store.ts";

const SAVED: SaveOutcome = { kind: "saved" };
const FAILED: SaveOutcome = { kind: "failed", error: "ENOSPC: no space left on device" };

export class SimStore {
  readonly #vms = new Map<string, RuntimeState>();
  readonly #lastGood = new Map<string, string>();
  readonly #startedOnce = new Map<string, string>();
  #host: HostState | undefined;
  isRuntimeWritable = true;
  isDurableWritable = true;
  /** Whenever what was saved may be lost: wiped, or unwritable. */
  runtimeDisturbedAt = 0;

  load(bootId: string): LoadedState {
    const vms = new Map([...this.#vms].filter(([, state]) => state.bootId === bootId));
    return { vms, host: this.#host?.bootId === bootId ? this.#host : undefined };
  }

  stateOf(id: string): RuntimeState | undefined {
    return this.#vms.get(id);
  }

  saveVm(id: string, state: RuntimeState): SaveOutcome {
    if (!this.isRuntimeWritable) return FAILED;
    this.#vms.set(id, state);
    return SAVED;
  }

  forgetVm(id: string): void {
    if (this.isRuntimeWritable) this.#vms.delete(id);
  }

  saveHost(state: HostState): SaveOutcome {
    if (!this.isRuntimeWritable) return FAILED;
    this.#host = state;
    return SAVED;
  }

  loadLastGood(parse: (source: string) => VmRecord | undefined): ReadonlyMap<string, VmRecord> {
    const records = new Map<string, VmRecord>();
    for (const [id, source] of this.#lastGood) {
      const record = parse(source);
      if (record !== undefined) records.set(id, record);
    }
    return records;
  }

  saveLastGood(id: string, source: string): SaveOutcome {
    if (!this.isDurableWritable) return FAILED;
    this.#lastGood.set(id, source);
    return SAVED;
  }

  forgetLastGood(id: string): void {
    if (this.isDurableWritable) this.#lastGood.delete(id);
  }

  loadStartedOnce(): ReadonlyMap<string, string> {
    return new Map(this.#startedOnce);
  }

  saveStartedOnce(id: string, contentHash: string): SaveOutcome {
    if (!this.isDurableWritable) return FAILED;
    this.#startedOnce.set(id, contentHash);
    return SAVED;
  }

  forgetStartedOnce(id: string): void {
    if (this.isDurableWritable) this.#startedOnce.delete(id);
  }

  wipeRuntime(nowMs: number): void {
    this.#vms.clear();
    this.#host = undefined;
    this.runtimeDisturbedAt = nowMs;
  }

  wipeDurable(): void {
    this.#lastGood.clear();
    this.#startedOnce.clear();
  }

  setRuntimeWritable(isWritable: boolean, nowMs: number): void {
    this.isRuntimeWritable = isWritable;
    this.runtimeDisturbedAt = nowMs;
  }
}
