/**
 * What the registry says, merged into what is known of it.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { VmId } from "../../src/domain/vm_record.ts";
import type { InvalidRecord, ReadRecord, RegistryListing } from "../../src/ports/registry.ts";
import type { Inventory, InventoryChange } from "../../src/reliability/inventory.ts";
import { EMPTY_INVENTORY, launchDifferences, mergeEntries, mergeListing } from "../../src/reliability/inventory.ts";
import { LAUNCH, recordOf } from "../recovery/examples.ts";

const PATH = "/var/lib/metald/vms";
const UNREADABLE = { kind: "unreadable", path: PATH, error: "EIO" } as const;

/** `vm-1` reads as its first content, `vm-1=2` as another. */
function read(text: string): ReadRecord {
  const [id = "", content = "1"] = text.split("=");
  const record = recordOf({ id, contentHash: content });
  return { kind: "record", id, record, source: content };
}

/** `vm-1` or `vm-1=error`. */
function bad(text: string): InvalidRecord {
  const [id = "", error = "no JSON"] = text.split("=");
  return { kind: "invalid", id, path: `${PATH}/${id}.json`, error };
}

function listing(...entries: readonly (ReadRecord | InvalidRecord)[]): RegistryListing {
  return { kind: "listed", entries };
}

function known(...texts: readonly string[]): Inventory {
  return mergeListing(EMPTY_INVENTORY, listing(...texts.map(read)), PATH, false).inventory;
}

function contents(inventory: Inventory): readonly string[] {
  return [...inventory.records].map(([id, record]) => `${id}=${record.contentHash}`).sort();
}

function told(change: InventoryChange) {
  const ids = (entries: readonly { readonly id: VmId | undefined }[]) => entries.map(({ id }) => id);
  return { created: ids(change.created), changed: ids(change.changed), deleted: change.deleted };
}

test("a first listing creates every record", () => {
  const change = mergeListing(EMPTY_INVENTORY, listing(read("a"), read("b")), PATH, false);
  assert.deepEqual(told(change), { created: ["a", "b"], changed: [], deleted: [] });
  assert.deepEqual(contents(change.inventory), ["a=1", "b=1"]);
});

test("only a changed content is a change", () => {
  const change = mergeListing(known("a", "b"), listing(read("a"), read("b=2")), PATH, false);
  assert.deepEqual(told(change), { created: [], changed: ["b"], deleted: [] });
  assert.deepEqual(contents(change.inventory), ["a=1", "b=2"]);
});

test("a record that vanishes is deleted, even the only one", () => {
  const change = mergeListing(known("a"), listing(), PATH, false);
  assert.deepEqual(told(change), { created: [], changed: [], deleted: ["a"] });
});

const LOSSES: readonly (readonly [total: number, lost: number, believed: boolean, why: string])[] = [
  [1, 1, true, "one is never a mass loss"],
  [2, 1, true, "one is never a mass loss"],
  [2, 2, false, "all of two"],
  [4, 1, true, "a quarter"],
  [4, 2, false, "half"],
  [8, 2, true, "a quarter exactly"],
  [8, 3, false, "more than a quarter"],
  [100, 25, true, "a quarter exactly"],
  [100, 26, false, "more than a quarter"],
];

for (const [total, lost, believed, why] of LOSSES) {
  const ids = Array.from({ length: total }, (_, index) => `vm-${index}`);
  const left = listing(...ids.slice(lost).map(read));

  test(`a registry that lost ${lost} of ${total} records is ${believed ? "" : "not "}believed: ${why}`, () => {
    const change = mergeListing(known(...ids), left, PATH, false);
    assert.equal(change.deleted.length, believed ? lost : 0);
    assert.equal(change.inventory.records.size, believed ? total - lost : total);
    assert.equal(change.newlyUnreadable !== undefined, !believed);
  });

  test(`a registry that lost ${lost} of ${total} records is believed once somebody confirmed it`, () => {
    const change = mergeListing(known(...ids), left, PATH, true);
    assert.equal(change.deleted.length, lost);
    assert.equal(change.inventory.unreadable, undefined);
  });
}

test("an empty listing is no proof that there are no VMs", () => {
  const change = mergeListing(known("a", "b", "c"), listing(), PATH, false);
  assert.deepEqual(change.deleted, []);
  assert.match(
    change.newlyUnreadable?.error ?? "",
    /3 of 3 records are gone at once; SIGUSR2 confirms: systemctl kill/,
  );
});

test("an unreadable registry changes nothing, and is said once until its reason changes", () => {
  const first = mergeListing(known("a"), UNREADABLE, PATH, false);
  assert.deepEqual(first.newlyUnreadable, { path: PATH, error: "EIO" });
  assert.deepEqual(contents(first.inventory), ["a=1"]);
  const again = mergeListing(first.inventory, UNREADABLE, PATH, false);
  assert.equal(again.newlyUnreadable, undefined);
  const other = mergeListing(again.inventory, { ...UNREADABLE, error: "EACCES" }, PATH, false);
  assert.deepEqual(other.newlyUnreadable, { path: PATH, error: "EACCES" });
});

test("a registry that can be read again says so once", () => {
  const { inventory } = mergeListing(known("a"), UNREADABLE, PATH, false);
  const back = mergeListing(inventory, listing(read("a")), PATH, false);
  assert.equal(back.readableAgain, true);
  assert.equal(mergeListing(back.inventory, listing(read("a")), PATH, false).readableAgain, false);
});

test("a bad record keeps the last good one in force, and does not count as lost", () => {
  const change = mergeListing(known("a", "b"), listing(bad("a"), bad("b")), PATH, false);
  assert.deepEqual(told(change), { created: [], changed: [], deleted: [] });
  assert.deepEqual(contents(change.inventory), ["a=1", "b=1"]);
});

test("a bad record hurts no other", () => {
  const change = mergeListing(EMPTY_INVENTORY, listing(bad("a"), read("b")), PATH, false);
  assert.deepEqual(contents(change.inventory), ["b=1"]);
});

test("a bad record is said once, again when its error changes, and again after it was good", () => {
  const said = (change: InventoryChange) => change.newlyInvalid.map(({ error }) => error);
  const first = mergeListing(known("a"), listing(bad("a")), PATH, false);
  const again = mergeListing(first.inventory, listing(bad("a")), PATH, false);
  const other = mergeListing(again.inventory, listing(bad("a=too long")), PATH, false);
  const good = mergeListing(other.inventory, listing(read("a=2")), PATH, false);
  const bad2 = mergeListing(good.inventory, listing(bad("a=too long")), PATH, false);
  assert.deepEqual([first, again, other, good, bad2].map(said), [["no JSON"], [], ["too long"], [], ["too long"]]);
});

test("a refused name without an id is said once and concerns nobody", () => {
  const odd: InvalidRecord = { kind: "invalid", id: undefined, path: `${PATH}/.hidden`, error: "no id" };
  const first = mergeListing(known("a"), listing(read("a"), odd), PATH, false);
  assert.equal(first.newlyInvalid.length, 1);
  assert.equal(mergeListing(first.inventory, listing(read("a"), odd), PATH, false).newlyInvalid.length, 0);
});

test("single records are merged without a word on the others", () => {
  const change = mergeEntries(known("a", "b"), [read("b=2"), read("c")], PATH);
  assert.deepEqual(told(change), { created: ["c"], changed: ["b"], deleted: [] });
  assert.deepEqual(contents(change.inventory), ["a=1", "b=2", "c=1"]);
});

test("launchDifferences() names the parts with which a VM was started, and nothing else", () => {
  const before = recordOf();
  assert.deepEqual(launchDifferences(before, recordOf({ priority: 9, desired: "stopped", contentHash: "x" })), []);
  const now = recordOf({
    vmm: "qemu",
    socket: "/run/other.sock",
    launch: { ...LAUNCH, cwd: "/srv" },
    disks: [{ path: "/srv/a", shared: false }],
  });
  assert.deepEqual(launchDifferences(before, now), ["vmm", "socket", "launch", "disks"]);
});

test("a record that is valid again is told once, by a listing as by a reading of its own, whether or not it changed", () => {
  for (const merge of [
    (inventory: Inventory, entry: ReadRecord | InvalidRecord) => mergeListing(inventory, listing(entry), PATH, false),
    (inventory: Inventory, entry: ReadRecord | InvalidRecord) => mergeEntries(inventory, [entry], PATH),
  ]) {
    const broken = merge(known("a"), bad("a")).inventory;
    for (const content of ["a", "a=2"]) {
      const mended = merge(broken, read(content));
      assert.deepEqual(mended.validAgain, ["a"]);
      assert.deepEqual(merge(mended.inventory, read(content)).validAgain, []);
    }
  }
  const neverGood = mergeListing(EMPTY_INVENTORY, listing(bad("a")), PATH, false).inventory;
  assert.deepEqual(mergeListing(neverGood, listing(read("a")), PATH, false).validAgain, []);
});
