/**
 * How many tasks run at once, and in which order the others follow.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedPool } from "../../src/async/bounded_pool.ts";

/** Tasks that end when they are told to. */
class Bench {
  readonly begun: string[] = [];
  readonly ends = new Map<string, { finish: () => void; fail: (error: Error) => void }>();

  task(name: string): () => Promise<string> {
    return () => {
      this.begun.push(name);
      return new Promise((resolve, reject) => {
        this.ends.set(name, { finish: () => resolve(name), fail: reject });
      });
    };
  }

  finish(name: string): void {
    this.ends.get(name)?.finish();
  }
}

test("run() begins as many tasks as there are places, and the rest in the order of their coming", async () => {
  const pool = new BoundedPool(2);
  const bench = new Bench();
  const runs = ["a", "b", "c", "d"].map((name) => pool.run(bench.task(name)));
  assert.deepEqual(bench.begun, ["a", "b"]);
  bench.finish("b");
  await runs[1];
  await Promise.resolve();
  assert.deepEqual(bench.begun, ["a", "b", "c"]);
  for (const name of ["a", "c"]) bench.finish(name);
  await Promise.all([runs[0], runs[2]]);
  await Promise.resolve();
  bench.finish("d");
  assert.deepEqual(await Promise.all(runs), ["a", "b", "c", "d"]);
});

test("a task that fails gives its place back, and its error to who asked", async () => {
  const pool = new BoundedPool(1);
  const bench = new Bench();
  const failing = pool.run(bench.task("failing"));
  const next = pool.run(bench.task("next"));
  bench.ends.get("failing")?.fail(new Error("no"));
  await assert.rejects(failing, /no/);
  await Promise.resolve();
  assert.deepEqual(bench.begun, ["failing", "next"]);
  bench.finish("next");
  assert.equal(await next, "next");
});

test("a task that throws before its first await gives its place back too", async () => {
  const pool = new BoundedPool(1);
  const thrown = pool.run(() => {
    throw new Error("at once");
  });
  await assert.rejects(thrown, /at once/);
  assert.equal(await pool.run(() => Promise.resolve("next")), "next");
});

test("nobody who comes between two tasks overtakes those that wait", async () => {
  const pool = new BoundedPool(1);
  const bench = new Bench();
  const first = pool.run(bench.task("first"));
  const waiting = pool.run(bench.task("waiting"));
  bench.finish("first");
  await first;
  const late = pool.run(bench.task("late"));
  bench.finish("waiting");
  await waiting;
  await Promise.resolve();
  bench.finish("late");
  await late;
  assert.deepEqual(bench.begun, ["first", "waiting", "late"]);
});

test("a thousand tasks never exceed the places, and all of them run", async () => {
  const pool = new BoundedPool(3);
  let running = 0;
  let runningMost = 0;
  let ended = 0;
  await Promise.all(
    Array.from({ length: 1_000 }, () =>
      pool.run(async () => {
        running += 1;
        runningMost = Math.max(runningMost, running);
        await Promise.resolve();
        running -= 1;
        ended += 1;
      }),
    ),
  );
  assert.equal(runningMost, 3);
  assert.equal(ended, 1_000);
});
