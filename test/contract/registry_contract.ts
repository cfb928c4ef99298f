/**
 * What every registry promises, real or simulated.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DesiredState, VmId } from "../../src/domain/vm_record.ts";
import type { Registry } from "../../src/ports/registry.ts";

export interface RegistryFixture {
  readonly registry: Registry;
  /** Writes or replaces a record that is valid. */
  write(id: VmId, desired: DesiredState): Promise<void>;
  /** Puts half a record where one may stand. */
  writeHalf(id: VmId): Promise<void>;
  remove(id: VmId): Promise<void>;
  makeUnreadable(): Promise<void>;
  makeReadable(): Promise<void>;
  /** Resolves once `isTrue`; rejects when it never becomes so. */
  eventually(what: string, isTrue: () => boolean): Promise<void>;
  dispose(): Promise<void>;
}

export function registryContract(name: string, makeFixture: () => Promise<RegistryFixture>): void {
  const contract = (rule: string, check: (fixture: RegistryFixture) => Promise<void>) =>
    test(`${name}: ${rule}`, async () => {
      const fixture = await makeFixture();
      try {
        await check(fixture);
      } finally {
        await fixture.dispose();
      }
    });

  contract("a record is listed and read with its text", async ({ registry, write }) => {
    await write("vm-1", "running");
    await write("vm-2", "stopped");
    const listing = await registry.list();
    assert.ok(listing.kind === "listed");
    const desired = listing.entries.map((entry) => entry.kind === "record" && [entry.id, entry.record.desired]);
    assert.deepEqual(desired.sort(), [
      ["vm-1", "running"],
      ["vm-2", "stopped"],
    ]);
    const entry = await registry.read("vm-2");
    assert.ok(entry.kind === "record");
    assert.equal(entry.record.id, "vm-2");
    assert.equal(entry.record.desired, "stopped");
    assert.ok(entry.source.includes("vm-2"));
  });

  contract("a record that nobody wrote, or that was removed, is absent", async ({ registry, write, remove }) => {
    assert.deepEqual(await registry.read("vm-1"), { kind: "absent" });
    await write("vm-1", "running");
    assert.equal((await registry.read("vm-1")).kind, "record");
    await remove("vm-1");
    assert.deepEqual(await registry.read("vm-1"), { kind: "absent" });
    assert.deepEqual(await registry.list(), { kind: "listed", entries: [] });
  });

  contract("a changed record is read as it is now, however soon after", async ({ registry, write }) => {
    for (const desired of ["running", "stopped", "running", "stopped"] as const) {
      await write("vm-1", desired);
      const entry = await registry.read("vm-1");
      assert.ok(entry.kind === "record");
      assert.equal(entry.record.desired, desired);
      const listing = await registry.list();
      assert.ok(listing.kind === "listed");
      assert.ok(listing.entries.every((listed) => listed.kind === "record" && listed.record.desired === desired));
    }
  });

  contract("half a record is invalid, names itself, and hurts no other", async ({ registry, write, writeHalf }) => {
    await write("vm-1", "running");
    await writeHalf("vm-2");
    const entry = await registry.read("vm-2");
    assert.ok(entry.kind === "invalid");
    assert.equal(entry.id, "vm-2");
    assert.ok(entry.path.includes("vm-2"));
    assert.match(entry.error, /^Cannot /);
    const listing = await registry.list();
    assert.ok(listing.kind === "listed");
    assert.deepEqual(listing.entries.map((listed) => `${listed.id} ${listed.kind}`).sort(), [
      "vm-1 record",
      "vm-2 invalid",
    ]);
  });

  contract("an unreadable registry is not an empty one", async ({ registry, write, makeUnreadable, makeReadable }) => {
    await write("vm-1", "running");
    await registry.list();
    await makeUnreadable();
    const listing = await registry.list();
    assert.ok(listing.kind === "unreadable");
    assert.equal(listing.path, registry.path);
    assert.equal((await registry.read("vm-1")).kind, "unreadable");
    assert.equal((await registry.read("vm-9")).kind, "unreadable");
    await makeReadable();
    assert.equal((await registry.read("vm-1")).kind, "record");
  });

  contract("a watch hints at what changes, until it is ended", async ({ registry, write, remove, eventually }) => {
    const hints: (VmId | undefined)[] = [];
    const end = registry.watch((id) => hints.push(id));
    const hinted = (id: VmId): boolean => hints.some((hint) => hint === id || hint === undefined);
    try {
      await write("vm-1", "running");
      await eventually("a hint at a new record", () => hinted("vm-1"));
      hints.length = 0;
      await remove("vm-1");
      await eventually("a hint at a removed record", () => hinted("vm-1"));
    } finally {
      end();
    }
  });
}
