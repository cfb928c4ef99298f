/**
 * Keeps on disk what a successor of this agent needs, the newest state of each VM last.
 *
 * Saves of one VM are in order and skip what a newer one replaces, so a VM that changes often costs no queue.
 * @module
 */

import { BoundedPool } from "../async/bounded_pool.ts";
import type { HostState, RuntimeState } from "../domain/runtime_state.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import type { VmId } from "../domain/vm_record.ts";
import type { Report } from "../ports/report.ts";
import type { SaveOutcome, StateStore } from "../ports/state_store.ts";

const HOUR_MS = 3_600_000;
const SAVES_AT_ONCE = 8;

export class Memory {
  readonly #store: StateStore;
  readonly #report: Report;
  readonly #bootId: string;
  readonly #pool = new BoundedPool(SAVES_AT_ONCE);
  /** The text of what is on disk, or on its way there. */
  readonly #saved = new Map<VmId, string>();
  readonly #queued = new Map<VmId, RuntimeState>();
  readonly #drains = new Map<VmId, Promise<void>>();
  readonly #underWay = new Map<VmId, Promise<SaveOutcome>>();
  #forcedStops: readonly MonotonicMs[] = [];
  #saidUnwritable = false;

  constructor(store: StateStore, report: Report, bootId: string) {
    this.#store = store;
    this.#report = report;
    this.#bootId = bootId;
  }

  /** Takes over what an earlier agent left. */
  restore(host: HostState | undefined): void {
    this.#forcedStops = host?.forcedStops ?? [];
  }

  /** False: nothing of it is on disk, nor on its way there, or the last save failed. */
  isNoted(id: VmId): boolean {
    return this.#saved.has(id);
  }

  /** Saves in the background, if it differs from what was saved last. */
  note(id: VmId, state: RuntimeState): void {
    const text = JSON.stringify(state);
    if (this.#saved.get(id) === text) return;
    this.#saved.set(id, text);
    this.#queued.set(id, state);
    if (this.#drains.has(id)) return;
    this.#drains.set(
      id,
      this.#drain(id).finally(() => this.#drains.delete(id)),
    );
  }

  /** Saves before it resolves. */
  async save(id: VmId, state: RuntimeState): Promise<SaveOutcome> {
    this.#queued.delete(id);
    this.#saved.set(id, JSON.stringify(state));
    return await this.#write(id, state);
  }

  async forget(id: VmId): Promise<void> {
    this.#queued.delete(id);
    this.#saved.delete(id);
    await this.#inOrder(id, async () => {
      await this.#store.forgetVm(id);
      return { kind: "saved" };
    });
  }

  /** Resolves when nothing waits to be written. */
  async flush(): Promise<void> {
    while (this.#underWay.size > 0 || this.#drains.size > 0) {
      await Promise.all([...this.#underWay.values(), ...this.#drains.values()]);
    }
  }

  forcedStopsLastHour(now: MonotonicMs): number {
    return this.#forcedStops.filter((at) => at > after(now, -HOUR_MS)).length;
  }

  /** Checks and counts in one step, since several may ask at the same time. */
  async countForcedStop(
    now: MonotonicMs,
    forcedStopsMax: number,
  ): Promise<SaveOutcome | { readonly kind: "exhausted" }> {
    if (this.forcedStopsLastHour(now) >= forcedStopsMax) return { kind: "exhausted" };
    this.#forcedStops = [...this.#forcedStops.filter((at) => at > after(now, -HOUR_MS)), now];
    return await this.saveHost(false);
  }

  async saveHost(cleanStop: boolean): Promise<SaveOutcome> {
    const state = { bootId: this.#bootId, cleanStop, forcedStops: this.#forcedStops };
    return this.#said(await this.#store.saveHost(state));
  }

  /** The record is the last good one from now on, should the one on disk cease to parse. */
  async saveLastGood(id: VmId, source: string): Promise<void> {
    this.#said(await this.#inOrder(id, () => this.#store.saveLastGood(id, source)));
  }

  /** Forgets what outlives a reboot: the VM's record is gone. */
  async forgetDurable(id: VmId): Promise<void> {
    await this.#inOrder(id, async () => {
      await this.#store.forgetLastGood(id);
      await this.#store.forgetStartedOnce(id);
      return { kind: "saved" };
    });
  }

  async #drain(id: VmId): Promise<void> {
    for (let state = this.#queued.get(id); state !== undefined; state = this.#queued.get(id)) {
      this.#queued.delete(id);
      await this.#write(id, state);
    }
  }

  async #write(id: VmId, state: RuntimeState): Promise<SaveOutcome> {
    const saved = this.#said(await this.#inOrder(id, () => this.#store.saveVm(id, state)));
    // Not on disk: the next note of the same state must not be taken for a repetition.
    if (saved.kind === "failed") this.#saved.delete(id);
    return saved;
  }

  /** Runs what touches the files of one VM after what was begun for it before. */
  async #inOrder(id: VmId, write: () => Promise<SaveOutcome>): Promise<SaveOutcome> {
    const before = this.#underWay.get(id);
    const run = this.#pool.run(async () => {
      await before;
      return await write();
    });
    this.#underWay.set(id, run);
    try {
      return await run;
    } finally {
      if (this.#underWay.get(id) === run) this.#underWay.delete(id);
    }
  }

  /** An unwritable directory is said once, until it can be written again. */
  #said(outcome: SaveOutcome): SaveOutcome {
    if (outcome.kind === "saved") this.#saidUnwritable = false;
    else if (!this.#saidUnwritable) {
      this.#saidUnwritable = true;
      this.#report({ type: "state_unwritable", error: outcome.error });
    }
    return outcome;
  }
}
