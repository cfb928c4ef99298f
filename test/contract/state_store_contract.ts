/**
 * What every state store promises, real or simulated.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RuntimeState } from "../../src/domain/runtime_state.ts";
import { monotonicMs } from "../../src/domain/time.ts";
import type { VmId } from "../../src/domain/vm_record.ts";
import type { StateStore } from "../../src/ports/state_store.ts";

export interface StateStoreFixture {
  readonly bootId: string;
  /** The store of an agent that has just started in this boot, on what its predecessors left. */
  open(): StateStore;
  /** The same after the host was booted again. */
  openAfterReboot(): StateStore;
  /** The text of a valid record. */
  recordSource(id: VmId): string;
  /** Deletes both directories. */
  wipe(): Promise<void>;
  makeUnwritable(): Promise<void>;
  dispose(): Promise<void>;
}

export function stateStoreContract(name: string, makeFixture: () => Promise<StateStoreFixture>): void {
  const contract = (rule: string, check: (fixture: StateStoreFixture) => Promise<void>) =>
    test(`${name}: ${rule}`, async () => {
      const fixture = await makeFixture();
      try {
        await check(fixture);
      } finally {
        await fixture.dispose();
      }
    });

  contract("where nothing was saved nothing is loaded", async ({ open }) => {
    const store = open();
    assert.deepEqual(await store.load(), { vms: new Map(), host: undefined });
    assert.deepEqual(await store.loadLastGood(), new Map());
    assert.deepEqual(await store.loadStartedOnce(), new Map());
  });

  contract("a successor loads the last state that was saved", async ({ open, bootId }) => {
    const store = open();
    const bare = bareState(bootId);
    const full = fullState(bootId);
    assert.deepEqual(await store.saveVm("vm-1", full), { kind: "saved" });
    await store.saveVm("vm-2", full);
    await store.saveVm("vm-2", bare);
    await store.saveVm("vm-3", bare);
    await store.forgetVm("vm-3");
    const host = { bootId, cleanStop: true, forcedStops: [monotonicMs(1), monotonicMs(2.5)] };
    assert.deepEqual(await store.saveHost(host), { kind: "saved" });
    const loaded = await open().load();
    assert.deepEqual(loaded.host, host);
    assert.deepEqual([...loaded.vms].sort(), [
      ["vm-1", full],
      ["vm-2", bare],
    ]);
  });

  contract("of saves that overlap the last one stays", async ({ open, bootId }) => {
    const store = open();
    const saves = Array.from({ length: 20 }, (_, attempts) => store.saveVm("vm-1", { ...bareState(bootId), attempts }));
    for (const outcome of await Promise.all(saves)) assert.deepEqual(outcome, { kind: "saved" });
    assert.equal((await open().load()).vms.get("vm-1")?.attempts, 19);
  });

  contract("runtime state of another boot is ignored, durable state is not", async (fixture) => {
    const { open, openAfterReboot, bootId, recordSource } = fixture;
    const store = open();
    await store.saveVm("vm-1", fullState(bootId));
    await store.saveHost({ bootId, cleanStop: true, forcedStops: [] });
    await store.saveLastGood("vm-1", recordSource("vm-1"));
    await store.saveStartedOnce("vm-1", "0123456789abcdef");
    const successor = openAfterReboot();
    assert.deepEqual(await successor.load(), { vms: new Map(), host: undefined });
    assert.equal((await successor.loadLastGood()).get("vm-1")?.id, "vm-1");
    assert.deepEqual(await successor.loadStartedOnce(), new Map([["vm-1", "0123456789abcdef"]]));
  });

  contract("a last good record is replaced, and forgotten", async ({ open, recordSource }) => {
    const store = open();
    await store.saveLastGood("vm-1", recordSource("vm-1"));
    await store.saveLastGood("vm-2", recordSource("vm-2"));
    await store.forgetLastGood("vm-1");
    assert.deepEqual([...(await open().loadLastGood()).keys()], ["vm-2"]);
    await store.saveLastGood("vm-1", recordSource("vm-1"));
    assert.equal((await open().loadLastGood()).size, 2);
  });

  contract("what was started once is replaced, and forgotten", async ({ open }) => {
    const store = open();
    await store.saveStartedOnce("vm-1", "0123456789abcdef");
    await store.saveStartedOnce("vm-2", "0123456789abcdef");
    await store.saveStartedOnce("vm-2", "fedcba9876543210");
    await store.forgetStartedOnce("vm-1");
    await store.forgetStartedOnce("vm-3");
    assert.deepEqual(await open().loadStartedOnce(), new Map([["vm-2", "fedcba9876543210"]]));
  });

  contract("after its directories were wiped it saves again, and what it saves is there", async (fixture) => {
    const { open, wipe, bootId, recordSource } = fixture;
    const store = open();
    await store.saveVm("vm-1", bareState(bootId));
    await store.saveLastGood("vm-1", recordSource("vm-1"));
    await wipe();
    assert.deepEqual(await store.saveVm("vm-1", bareState(bootId)), { kind: "saved" });
    assert.deepEqual(await store.saveLastGood("vm-1", recordSource("vm-1")), { kind: "saved" });
    assert.equal((await open().load()).vms.size, 1);
    assert.equal((await open().loadLastGood()).size, 1);
  });

  contract("a save that fails says so, and throws nothing", async ({ open, makeUnwritable, bootId, recordSource }) => {
    const store = open();
    await makeUnwritable();
    const outcomes = [
      await store.saveVm("vm-1", bareState(bootId)),
      await store.saveHost({ bootId, cleanStop: false, forcedStops: [] }),
      await store.saveLastGood("vm-1", recordSource("vm-1")),
      await store.saveStartedOnce("vm-1", "0123456789abcdef"),
    ];
    for (const outcome of outcomes) assert.equal(outcome.kind, "failed");
    await store.forgetVm("vm-1");
    await store.forgetLastGood("vm-1");
    await store.forgetStartedOnce("vm-1");
  });
}

function bareState(bootId: string): RuntimeState {
  return {
    bootId,
    main: undefined,
    runsWith: undefined,
    incarnation: 0,
    attempts: 0,
    retryAt: undefined,
    failed: false,
    launchIntent: undefined,
    recovering: undefined,
    exitedForContent: undefined,
    migratedForContent: undefined,
  };
}

function fullState(bootId: string): RuntimeState {
  return {
    bootId,
    main: { bootId, pid: 4242, startTicks: 987_654 },
    runsWith: { vmm: "qemu", socket: "/run/vms/vm-1.qmp", launchHash: "fedcba9876543210" },
    incarnation: 3,
    attempts: 2,
    retryAt: monotonicMs(123_456.5),
    failed: true,
    launchIntent: { attempt: 3, incarnation: 4, bootId, at: monotonicMs(1000) },
    recovering: { reason: "process_dead", attempt: 3, since: monotonicMs(999) },
    exitedForContent: "0123456789abcdef",
    migratedForContent: "0123456789abcdef",
  };
}
