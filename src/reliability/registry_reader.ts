/**
 * Keeps what is known of the registry up to date: by hints soon, by listings surely.
 * @module
 */

import { TIMED_OUT, withDeadline } from "../async/deadline.ts";
import type { MonotonicMs } from "../domain/time.ts";
import type { VmId, VmRecord } from "../domain/vm_record.ts";
import type { InvalidRecord } from "../ports/registry.ts";
import type { Fleet } from "./fleet.ts";
import type { Inventory, InventoryChange } from "./inventory.ts";
import { EMPTY_INVENTORY, mergeEntries, mergeListing } from "./inventory.ts";
import { NEVER } from "./never.ts";
import { withoutRivals } from "./rivals.ts";

/** Hints that come together are read together. */
const HINT_GATHER_MS = 50;
/** More single records than this are read as a whole listing. */
const HINTS_MAX = 16;
/** A listing that failed is tried again after this. */
const RETRY_LISTING_MS = 5_000;
const LISTING_TIMEOUT_MS = 10_000;

export class RegistryReader {
  readonly #fleet: Fleet;
  readonly #hints = new Set<VmId>();
  readonly #onCreated: () => void;
  #inventory: Inventory;
  /** When the next listing is due. */
  listAt: number = 0;
  #hintsAt: number = NEVER;
  #reading = false;
  /** Somebody confirmed that the registry is right, even if it lost many records. */
  believeRegistry = false;
  /** When the registry was last read in full and believed. */
  lastSuccessAt: MonotonicMs | undefined = undefined;

  /**
   * @param lastGood what was last known to be right: the measure of what the registry has lost meanwhile
   * @param onCreated called when records were created, of whose VMs nothing is known yet
   */
  constructor(fleet: Fleet, lastGood: ReadonlyMap<VmId, VmRecord>, onCreated: () => void) {
    this.#fleet = fleet;
    this.#onCreated = onCreated;
    const records = withoutRivals(lastGood);
    this.#inventory = { ...EMPTY_INVENTORY, records };
    for (const record of records.values()) fleet.track(record);
  }

  /** Why the registry cannot be believed; undefined: it can. */
  get unreadable(): string | undefined {
    return this.#inventory.unreadable;
  }

  /** What stands where a record should and is not used. */
  get refused(): ReadonlyMap<string, InvalidRecord> {
    return this.#inventory.invalid;
  }

  get nextAt(): number {
    return this.#reading ? NEVER : Math.min(this.listAt, this.#hintsAt);
  }

  turn(now: MonotonicMs): void {
    if (this.#reading) return;
    if (now >= this.listAt) this.#fleet.background(this.readRegistry(undefined));
    else if (now >= this.#hintsAt) this.#fleet.background(this.readRegistry(this.#takeHints()));
  }

  hint(id: VmId | undefined): void {
    if (id === undefined || this.#hints.size >= HINTS_MAX) this.listAt = 0;
    else this.#hints.add(id);
    if (this.#hintsAt === NEVER) this.#hintsAt = this.#fleet.deps.clock.monotonic() + HINT_GATHER_MS;
    this.#fleet.wake();
  }

  #takeHints(): readonly VmId[] {
    const ids = [...this.#hints];
    this.#hints.clear();
    this.#hintsAt = NEVER;
    return ids;
  }

  /** Reads the named records, or all of them; a record that is gone is believed only of a whole listing. */
  async readRegistry(ids: readonly VmId[] | undefined): Promise<void> {
    const { clock } = this.#fleet.deps;
    this.#reading = true;
    try {
      const beganAt = clock.monotonic();
      const some = ids === undefined ? undefined : await this.#readSome(ids);
      if (some !== undefined) this.#applyInventory(some, beganAt);
      else await this.#readAll();
    } finally {
      this.#reading = false;
    }
    this.#fleet.wake();
  }

  async #readAll(): Promise<void> {
    const { clock, registry } = this.#fleet.deps;
    this.#takeHints();
    this.listAt = NEVER;
    const believed = this.believeRegistry;
    const beganAt = clock.monotonic();
    const listing = await withDeadline(clock, LISTING_TIMEOUT_MS, registry.list());
    const { path } = registry;
    const change = mergeListing(
      this.#inventory,
      listing === TIMED_OUT ? { kind: "unreadable", path, error: "it did not answer in time" } : listing,
      path,
      believed,
    );
    this.#applyInventory(change, beganAt);
    const { reconcileIntervalMs } = this.#fleet.policy;
    const readable = change.inventory.unreadable === undefined;
    if (readable) this.lastSuccessAt = beganAt;
    // A confirmation is about what the operator sees now, not about what an unreadable registry turns into later.
    if (believed) this.believeRegistry = false;
    // Somebody may have asked for the next listing while this one was under way.
    const waitMs = readable ? reconcileIntervalMs : Math.min(RETRY_LISTING_MS, reconcileIntervalMs);
    this.listAt = Math.min(this.listAt, clock.monotonic() + waitMs);
  }

  async #readSome(ids: readonly VmId[]): Promise<InventoryChange | undefined> {
    // While the registry is not believed, single records of it are not either.
    if (this.#inventory.unreadable !== undefined) return undefined;
    const { clock, registry } = this.#fleet.deps;
    const reading = Promise.all(ids.map((id) => registry.read(id)));
    const entries = await withDeadline(clock, LISTING_TIMEOUT_MS, reading);
    if (entries === TIMED_OUT) return undefined;
    const read = entries.filter((entry) => entry.kind === "record" || entry.kind === "invalid");
    return read.length < entries.length ? undefined : mergeEntries(this.#inventory, read, registry.path);
  }

  #applyInventory(change: InventoryChange, beganAt: MonotonicMs): void {
    const { registry, report } = this.#fleet.deps;
    const othersRefused = change.inventory.invalid.size !== this.#inventory.invalid.size;
    const believedOtherwise = change.inventory.unreadable !== this.#inventory.unreadable;
    if (othersRefused || believedOtherwise || change.newlyInvalid.length > 0) this.#fleet.revision += 1;
    this.#inventory = change.inventory;
    this.#fleet.registryReadings += 1;
    if (change.newlyUnreadable !== undefined) report({ type: "registry_unreadable", ...change.newlyUnreadable });
    if (change.readableAgain) report({ type: "registry_readable_again", path: registry.path });
    for (const { id, path, error } of change.newlyInvalid) report({ type: "record_invalid", vmId: id, path, error });
    for (const id of change.validAgain) report({ type: "record_valid_again", vmId: id });
    for (const id of change.deleted) this.#fleet.untrack(id);
    for (const { id, record } of change.created) {
      report({ type: "vm_created", vmId: id });
      this.#fleet.track(record);
    }
    // Not only those that changed since the last listing: an act may have read another version in between.
    for (const entry of change.read) this.#fleet.recordRead(entry, beganAt);
    for (const { id, source } of change.created) this.#fleet.background(this.#fleet.memory.saveLastGood(id, source));
    for (const id of change.deleted) this.#fleet.background(this.#fleet.memory.forgetDurable(id));
    if (change.created.length > 0) this.#onCreated();
  }
}
