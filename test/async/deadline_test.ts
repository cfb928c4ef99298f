/**
 * Waiting on an injected clock: what ends a wait, and that nothing of it is left.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep, sleepUntil, TIMED_OUT, withDeadline } from "../../src/async/deadline.ts";
import { monotonicMs } from "../../src/domain/time.ts";
import { FakeClock } from "./fake_clock.ts";

/** Whether a promise is settled once everything that is ready has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => {
      settled = true;
    },
    () => {
      settled = true;
    },
  );
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  return settled;
}

test("sleepUntil() ends at its instant and not before", async () => {
  const clock = new FakeClock();
  const slept = sleepUntil(clock, monotonicMs(100));
  clock.advance(99);
  assert.equal(await isSettled(slept), false);
  clock.advance(1);
  await slept;
  assert.equal(clock.pending, 0);
});

test("sleep() counts from now", async () => {
  const clock = new FakeClock();
  clock.advance(1_000);
  const slept = sleep(clock, 50);
  clock.advance(49);
  assert.equal(await isSettled(slept), false);
  clock.advance(1);
  await slept;
});

test("sleepUntil() ends when its signal aborts, and leaves no timer", async () => {
  const clock = new FakeClock();
  const abort = new AbortController();
  const slept = sleepUntil(clock, monotonicMs(100), abort.signal);
  abort.abort();
  await slept;
  assert.equal(clock.pending, 0);
});

test("sleepUntil() does not begin when its signal has aborted already", async () => {
  const clock = new FakeClock();
  await sleepUntil(clock, monotonicMs(100), AbortSignal.abort());
  assert.equal(clock.pending, 0);
});

test("withDeadline() gives the outcome of work that ends in time, and leaves no timer", async () => {
  const clock = new FakeClock();
  assert.equal(await withDeadline(clock, 100, Promise.resolve("done")), "done");
  assert.equal(clock.pending, 0);
});

test("withDeadline() passes the error of work on, and leaves no timer", async () => {
  const clock = new FakeClock();
  await assert.rejects(withDeadline(clock, 100, Promise.reject(new Error("no"))), /no/);
  assert.equal(clock.pending, 0);
});

test("withDeadline() says so when time runs out, and a late error of the work hurts nobody", async () => {
  const clock = new FakeClock();
  let fail: (error: Error) => void = () => undefined;
  const work = new Promise<string>((_, reject) => {
    fail = reject;
  });
  const outcome = withDeadline(clock, 100, work);
  clock.advance(100);
  assert.equal(await outcome, TIMED_OUT);
  fail(new Error("too late"));
  assert.equal(await isSettled(work), true);
});
