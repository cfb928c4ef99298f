/**
 * The order of what is due.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DueQueue } from "../../src/async/due_queue.ts";
import { monotonicMs } from "../../src/domain/time.ts";
import { Seeded } from "./seeded.ts";

function takeAll(queue: DueQueue, now: number): string[] {
  const taken: string[] = [];
  for (let key = queue.take(monotonicMs(now)); key !== undefined; key = queue.take(monotonicMs(now))) taken.push(key);
  return taken;
}

function queueOf(entries: readonly (readonly [string, number])[]): DueQueue {
  const queue = new DueQueue();
  for (const [key, at] of entries) queue.set(key, monotonicMs(at));
  return queue;
}

test("take() gives keys in the order of their instants, not of their coming", () => {
  assert.deepEqual(
    takeAll(
      queueOf([
        ["c", 30],
        ["a", 10],
        ["b", 20],
      ]),
      30,
    ),
    ["a", "b", "c"],
  );
});

test("take() gives what is due at this very instant and nothing that is due later", () => {
  const queue = queueOf([
    ["now", 10],
    ["later", 11],
  ]);
  assert.deepEqual(takeAll(queue, 10), ["now"]);
  assert.equal(queue.size, 1);
  assert.equal(queue.nextAt, 11);
});

test("take() and nextAt say nothing of an empty queue", () => {
  const queue = new DueQueue();
  assert.equal(queue.take(monotonicMs(Number.MAX_SAFE_INTEGER)), undefined);
  assert.equal(queue.nextAt, undefined);
  assert.equal(queue.size, 0);
});

test("set() moves a key that stands in the queue already, earlier and later", () => {
  const queue = queueOf([
    ["a", 10],
    ["b", 20],
    ["c", 30],
  ]);
  queue.set("c", monotonicMs(5));
  assert.equal(queue.nextAt, 5);
  queue.set("a", monotonicMs(40));
  queue.set("b", monotonicMs(20));
  assert.equal(queue.size, 3);
  assert.deepEqual(takeAll(queue, 100), ["c", "b", "a"]);
});

test("delete() removes one key, and an unknown one without harm", () => {
  const queue = queueOf([
    ["a", 10],
    ["b", 20],
  ]);
  queue.delete("a");
  queue.delete("a");
  queue.delete("never there");
  assert.deepEqual(takeAll(queue, 100), ["b"]);
});

test("a queue agrees with a sorted list over ten thousand random changes", () => {
  const chance = new Seeded(1);
  const queue = new DueQueue();
  const model = new Map<string, number>();
  for (let step = 0; step < 10_000; step += 1) {
    const key = `vm-${chance.below(50)}`;
    const at = chance.below(1_000);
    const kind = chance.below(4);
    if (kind < 2) {
      queue.set(key, monotonicMs(at));
      model.set(key, at);
    } else if (kind === 2) {
      queue.delete(key);
      model.delete(key);
    } else {
      const taken = queue.take(monotonicMs(at));
      const earliest = Math.min(...model.values());
      if (taken === undefined) assert.ok(earliest > at, `step ${step}: ${earliest} was due at ${at}`);
      else {
        assert.equal(model.get(taken), earliest, `step ${step}`);
        model.delete(taken);
      }
    }
    assert.equal(queue.size, model.size, `step ${step}`);
    assert.equal(queue.nextAt, model.size === 0 ? undefined : Math.min(...model.values()), `step ${step}`);
  }
});
