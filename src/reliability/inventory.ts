/**
 * Merges what the registry says now into what is known of it.
 *
 * A record that does not parse leaves the last good one in force. An unreadable registry changes nothing. A registry that lost more
 * than a quarter of its records at once, and more than one, is more likely broken (an unmounted file system, a wrong directory, half
 * a restore) than meant so, and counts as unreadable until somebody confirms it.
 *
 * Pure.
 * @module
 */

import type { VmId, VmRecord } from "../domain/vm_record.ts";
import type { InvalidRecord, ReadRecord, RegistryListing, UnreadableRegistry } from "../ports/registry.ts";
import { refuseRivals } from "./rivals.ts";

export interface Inventory {
  /** Records in force, by id. */
  readonly records: ReadonlyMap<VmId, VmRecord>;
  /** What is refused and was reported, by id or, where the name gives none, by path. */
  readonly invalid: ReadonlyMap<string, InvalidRecord>;
  /** Why the registry could not be believed at the last look; undefined: it could. */
  readonly unreadable: string | undefined;
}

export const EMPTY_INVENTORY: Inventory = { records: new Map(), invalid: new Map(), unreadable: undefined };

export interface InventoryChange {
  readonly inventory: Inventory;
  /** Every record that was read, changed or not. */
  readonly read: readonly ReadRecord[];
  readonly created: readonly ReadRecord[];
  readonly changed: readonly ReadRecord[];
  readonly deleted: readonly VmId[];
  /** Refused records that were not reported with this error before. */
  readonly newlyInvalid: readonly InvalidRecord[];
  /** Tracked VMs whose record was refused, and is not any more. */
  readonly validAgain: readonly VmId[];
  /** Set when the registry could be believed before, or could not for another reason. */
  readonly newlyUnreadable: { readonly path: string; readonly error: string } | undefined;
  readonly readableAgain: boolean;
}

const LOSS_FRACTION = 0.25;
const LOSS_MIN = 2;

/**
 * @param believed the registry is right even if it lost many records: somebody confirmed it
 */
export function mergeListing(
  inventory: Inventory,
  listing: RegistryListing | UnreadableRegistry,
  path: string,
  believed: boolean,
): InventoryChange {
  if (listing.kind === "unreadable") return unreadable(inventory, listing.path, listing.error);
  const present = new Set<VmId>();
  for (const entry of listing.entries) if (entry.id !== undefined) present.add(entry.id);
  const deleted = [...inventory.records.keys()].filter((id) => !present.has(id));
  if (!believed && deleted.length >= LOSS_MIN && deleted.length > inventory.records.size * LOSS_FRACTION) {
    return unreadable(
      inventory,
      path,
      `${deleted.length} of ${inventory.records.size} records are gone at once; SIGUSR2 confirms: systemctl kill --kill-whom=main -s USR2 metald`,
    );
  }

  const kept = new Map(inventory.records);
  for (const id of deleted) kept.delete(id);
  const stillInvalid = new Map<string, InvalidRecord>();
  const entries = refuseRivals(kept, listing.entries, path);
  for (const entry of entries) {
    const reported = entry.kind === "invalid" ? inventory.invalid.get(placeOf(entry)) : undefined;
    if (entry.kind === "invalid" && reported !== undefined) stillInvalid.set(placeOf(entry), reported);
  }
  const change = merged({ records: kept, invalid: stillInvalid, unreadable: undefined }, entries);
  const validAgain = change.read.filter(({ id }) => inventory.invalid.has(id) && kept.has(id)).map(({ id }) => id);
  return { ...change, deleted, validAgain, readableAgain: inventory.unreadable !== undefined };
}

/** Merges some entries, and says nothing of the others. */
export function mergeEntries(
  inventory: Inventory,
  entries: readonly (ReadRecord | InvalidRecord)[],
  path: string,
): InventoryChange {
  return merged(inventory, refuseRivals(inventory.records, entries, path));
}

function merged(inventory: Inventory, entries: readonly (ReadRecord | InvalidRecord)[]): InventoryChange {
  const records = new Map(inventory.records);
  const invalid = new Map(inventory.invalid);
  const read: ReadRecord[] = [];
  const created: ReadRecord[] = [];
  const changed: ReadRecord[] = [];
  const newlyInvalid: InvalidRecord[] = [];
  const validAgain: VmId[] = [];
  for (const entry of entries) {
    if (entry.kind === "invalid") {
      const place = placeOf(entry);
      if (invalid.get(place)?.error !== entry.error) newlyInvalid.push(entry);
      invalid.set(place, entry);
      continue;
    }
    read.push(entry);
    if (invalid.delete(entry.id) && records.has(entry.id)) validAgain.push(entry.id);
    const known = records.get(entry.id);
    if (known === undefined) created.push(entry);
    else if (known.contentHash !== entry.record.contentHash) changed.push(entry);
    else continue;
    records.set(entry.id, entry.record);
  }
  return {
    inventory: { records, invalid, unreadable: inventory.unreadable },
    read,
    created,
    changed,
    deleted: [],
    newlyInvalid,
    validAgain,
    newlyUnreadable: undefined,
    readableAgain: false,
  };
}

function placeOf(entry: InvalidRecord): string {
  return entry.id ?? entry.path;
}

function unreadable(inventory: Inventory, path: string, error: string): InventoryChange {
  return {
    inventory: { ...inventory, unreadable: error },
    read: [],
    created: [],
    changed: [],
    deleted: [],
    newlyInvalid: [],
    validAgain: [],
    newlyUnreadable: inventory.unreadable === error ? undefined : { path, error },
    readableAgain: false,
  };
}

/** The parts of a record with which a VM was started that differ between two records. */
export function launchDifferences(before: VmRecord, now: VmRecord): readonly string[] {
  const parts = ["vmm", "socket", "launch", "disks"] as const;
  return parts.filter((part) => JSON.stringify(before[part]) !== JSON.stringify(now[part]));
}
