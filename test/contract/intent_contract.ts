/**
 * What every source of holds and leases promises, real or simulated.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProcessIdentity } from "../../src/domain/process.ts";
import { type WallMs, wallMs } from "../../src/domain/time.ts";
import type { VmId } from "../../src/domain/vm_record.ts";
import type { Intent, IntentEntry, IntentReading } from "../../src/ports/intent.ts";

export interface IntentFixture {
  readonly intent: Intent;
  /** @param id undefined: of every VM */
  hold(id: VmId | undefined, expiresAt: WallMs | undefined): Promise<void>;
  lease(id: VmId, expiresAt: WallMs, holder: ProcessIdentity | undefined): Promise<void>;
  writeHalf(kind: "hold" | "lease", id: VmId): Promise<void>;
  release(kind: "hold" | "lease", id: VmId | undefined): Promise<void>;
  makeUnreadable(): Promise<void>;
  /** Resolves once `isTrue`; rejects when it never becomes so. */
  eventually(what: string, isTrue: () => boolean): Promise<void>;
  dispose(): Promise<void>;
}

const LATER = wallMs(Date.parse("2099-01-02T03:04:05Z"));

export function intentContract(name: string, makeFixture: () => Promise<IntentFixture>): void {
  const contract = (rule: string, check: (fixture: IntentFixture) => Promise<void>) =>
    test(`${name}: ${rule}`, async () => {
      const fixture = await makeFixture();
      try {
        await check(fixture);
      } finally {
        await fixture.dispose();
      }
    });

  contract("where nobody wrote anything nothing is held", async ({ intent }) => {
    assert.deepEqual(await intent.list(), { kind: "read", entries: [] });
    assert.deepEqual(await intent.read("vm-1"), { kind: "read", entries: [] });
  });

  contract("a hold of one VM concerns that VM, and one of all concerns each", async (fixture) => {
    const { intent, hold, release } = fixture;
    await hold("vm-1", LATER);
    await hold(undefined, undefined);
    const [one] = entriesOf(await intent.read("vm-1")).filter((entry) => entry.vmId === "vm-1");
    assert.ok(one?.kind === "hold");
    assert.equal(one.expiresAt, LATER);
    assert.ok(one.reason !== "" && one.actor !== "");
    const others = entriesOf(await intent.read("vm-2"));
    assert.equal(others.length, 1);
    assert.ok(others[0]?.kind === "hold" && others[0].vmId === undefined && others[0].expiresAt === undefined);
    assert.equal(entriesOf(await intent.list()).length, 2);
    await release("hold", undefined);
    assert.deepEqual(entriesOf(await intent.read("vm-2")), []);
    assert.equal(entriesOf(await intent.read("vm-1")).length, 1);
  });

  contract("a lease names its end and its holder, and changes its fingerprint when it is renewed", async (fixture) => {
    const { intent, lease, release } = fixture;
    const holder = { bootId: "3f2c8a5e-0000-4000-8000-000000000000", pid: 4242, startTicks: 987_654 };
    await lease("vm-1", LATER, holder);
    const [first] = entriesOf(await intent.read("vm-1"));
    assert.ok(first?.kind === "lease");
    assert.deepEqual([first.vmId, first.expiresAt, first.holder], ["vm-1", LATER, holder]);
    await lease("vm-1", wallMs(LATER + 1000), holder);
    const [second] = entriesOf(await intent.read("vm-1"));
    assert.ok(second?.kind === "lease");
    assert.notEqual(second.fingerprint, first.fingerprint);
    assert.deepEqual(entriesOf(await intent.read("vm-2")), []);
    await release("lease", "vm-1");
    assert.deepEqual(entriesOf(await intent.read("vm-1")), []);
  });

  contract("what does not parse is there, as malformed", async ({ intent, writeHalf }) => {
    await writeHalf("hold", "vm-1");
    await writeHalf("lease", "vm-2");
    for (const id of ["vm-1", "vm-2"]) {
      const [entry] = entriesOf(await intent.read(id));
      assert.ok(entry?.kind === "malformed", id);
      assert.equal(entry.vmId, id);
      assert.match(entry.error, /^Cannot /);
    }
    assert.equal(entriesOf(await intent.list()).length, 2);
  });

  contract("what cannot be read is unreadable, and not nothing", async ({ intent, hold, makeUnreadable }) => {
    await hold("vm-1", undefined);
    await makeUnreadable();
    assert.equal((await intent.list()).kind, "unreadable");
    assert.equal((await intent.read("vm-1")).kind, "unreadable");
  });

  contract("a watch hints at a new hold and a new lease", async ({ intent, hold, lease, eventually }) => {
    const hints: (VmId | undefined)[] = [];
    const end = intent.watch((id) => hints.push(id));
    const hinted = (id: VmId): boolean => hints.some((hint) => hint === id || hint === undefined);
    try {
      await hold("vm-1", undefined);
      await eventually("a hint at the hold", () => hinted("vm-1"));
      hints.length = 0;
      await lease("vm-2", LATER, undefined);
      await eventually("a hint at the lease", () => hinted("vm-2"));
    } finally {
      end();
    }
  });
}

function entriesOf(reading: IntentReading): readonly IntentEntry[] {
  assert.ok(reading.kind === "read", JSON.stringify(reading));
  return reading.entries;
}
