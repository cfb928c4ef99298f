/**
 * What is on disk when the agent dies: the newest state of each VM, in order.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReliabilityEvent } from "../../src/domain/event.ts";
import type { RuntimeState } from "../../src/domain/runtime_state.ts";
import { monotonicMs } from "../../src/domain/time.ts";
import { Memory } from "../../src/reliability/memory.ts";
import { BOOT_ID } from "../recovery/examples.ts";
import { SlowStore, settle } from "./slow_store.ts";

/** A state that is told from others by its attempts. */
function stateOf(attempts: number): RuntimeState {
  return {
    bootId: BOOT_ID,
    main: undefined,
    runsWith: undefined,
    incarnation: 1,
    attempts,
    retryAt: undefined,
    failed: false,
    launchIntent: undefined,
    recovering: undefined,
    exitedForContent: undefined,
    migratedForContent: undefined,
  };
}

function memoryOver(store: SlowStore) {
  const events: ReliabilityEvent[] = [];
  return { memory: new Memory(store, (event) => events.push(event), BOOT_ID), events };
}

test("save() has written when it resolves", async () => {
  const store = new SlowStore();
  const { memory } = memoryOver(store);
  assert.deepEqual(await memory.save("vm-1", stateOf(1)), { kind: "saved" });
  assert.equal(store.vms.get("vm-1")?.attempts, 1);
});

test("a state that changes often is written as it was first and as it is last", async () => {
  const store = new SlowStore();
  store.isSlow = true;
  const { memory } = memoryOver(store);
  for (const attempts of [1, 2, 3, 4]) memory.note("vm-1", stateOf(attempts));
  await settle();
  while (store.savesWaiting > 0) await store.next();
  assert.deepEqual(store.begun, ["vm-1:1", "vm-1:4"]);
  assert.equal(store.vms.get("vm-1")?.attempts, 4);
});

test("a state that is noted again is not written again", async () => {
  const store = new SlowStore();
  const { memory } = memoryOver(store);
  memory.note("vm-1", stateOf(1));
  await memory.flush();
  memory.note("vm-1", stateOf(1));
  await memory.flush();
  assert.deepEqual(store.begun, ["vm-1:1"]);
});

test("save() waits for the write under way, drops what is queued, and comes last", async () => {
  const store = new SlowStore();
  store.isSlow = true;
  const { memory } = memoryOver(store);
  memory.note("vm-1", stateOf(1));
  memory.note("vm-1", stateOf(2));
  const saved = memory.save("vm-1", stateOf(3));
  await settle();
  assert.deepEqual(store.begun, ["vm-1:1"]);
  while (store.savesWaiting > 0) await store.next();
  assert.deepEqual(await saved, { kind: "saved" });
  assert.deepEqual(store.begun, ["vm-1:1", "vm-1:3"]);
  assert.equal(store.vms.get("vm-1")?.attempts, 3);
});

test("VMs do not wait for each other, up to eight at once", async () => {
  const store = new SlowStore();
  store.isSlow = true;
  const { memory } = memoryOver(store);
  for (let index = 0; index < 20; index += 1) memory.note(`vm-${index}`, stateOf(1));
  await settle();
  assert.equal(store.savesWaiting, 8);
  while (store.savesWaiting > 0) await store.next();
  assert.equal(store.vms.size, 20);
});

test("flush() resolves when nothing waits to be written", async () => {
  const store = new SlowStore();
  store.isSlow = true;
  const { memory } = memoryOver(store);
  memory.note("vm-1", stateOf(1));
  memory.note("vm-1", stateOf(2));
  let flushed = false;
  const flushing = memory.flush().then(() => {
    flushed = true;
  });
  await store.next();
  assert.equal(flushed, false);
  while (store.savesWaiting > 0) await store.next();
  await flushing;
  assert.equal(store.vms.get("vm-1")?.attempts, 2);
});

test("forget() comes after the write under way, and nothing is written after it", async () => {
  const store = new SlowStore();
  store.isSlow = true;
  const { memory } = memoryOver(store);
  memory.note("vm-1", stateOf(1));
  memory.note("vm-1", stateOf(2));
  const forgetting = memory.forget("vm-1");
  await settle();
  assert.deepEqual(store.forgotten, []);
  while (store.savesWaiting > 0) await store.next();
  await forgetting;
  assert.deepEqual(store.begun, ["vm-1:1"]);
  assert.equal(store.vms.has("vm-1"), false);
});

test("an unwritable directory is said once, and again after it could be written", async () => {
  const store = new SlowStore();
  const { memory, events } = memoryOver(store);
  store.isBroken = true;
  await memory.save("vm-1", stateOf(1));
  await memory.save("vm-2", stateOf(1));
  assert.deepEqual(events, [{ type: "state_unwritable", error: "ENOSPC" }]);
  store.isBroken = false;
  await memory.save("vm-1", stateOf(2));
  store.isBroken = true;
  assert.deepEqual(await memory.save("vm-1", stateOf(3)), { kind: "failed", error: "ENOSPC" });
  assert.equal(events.length, 2);
});

test("a state that could not be written is written when it is noted again", async () => {
  const store = new SlowStore();
  const { memory } = memoryOver(store);
  store.isBroken = true;
  memory.note("vm-1", stateOf(1));
  await settle();
  store.isBroken = false;
  memory.note("vm-1", stateOf(1));
  await settle();
  assert.equal(store.vms.get("vm-1")?.attempts, 1);
});

test("forced stops count for an hour, over a restart of the agent, and are on disk before they count", async () => {
  const store = new SlowStore();
  const { memory } = memoryOver(store);
  memory.restore({ bootId: BOOT_ID, cleanStop: false, forcedStops: [monotonicMs(1_000)] });
  await memory.countForcedStop(monotonicMs(2_000), 5);
  assert.deepEqual(store.host?.forcedStops, [1_000, 2_000]);
  assert.equal(memory.forcedStopsLastHour(monotonicMs(2_000)), 2);
  assert.equal(memory.forcedStopsLastHour(monotonicMs(3_601_000)), 1);
  assert.equal(memory.forcedStopsLastHour(monotonicMs(3_602_000)), 0);
});

test("a clean stop is written with what is known of forced stops", async () => {
  const store = new SlowStore();
  const { memory } = memoryOver(store);
  await memory.countForcedStop(monotonicMs(5), 5);
  await memory.saveHost(true);
  assert.deepEqual(store.host, { bootId: BOOT_ID, cleanStop: true, forcedStops: [5] });
});
