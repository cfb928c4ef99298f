/**
 * How long an attempt waits.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { jittered, retryDelayMs } from "../../src/recovery/backoff.ts";

const POLICY = { retryIntervalMs: 10_000, backoffFactor: 2, maxRetryIntervalMs: 300_000, jitter: 0 };

test("retryDelayMs() is nothing for the first attempt, then grows by the factor up to the cap", () => {
  const delays = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => retryDelayMs(attempt, POLICY, 0.5));
  assert.deepEqual(delays, [0, 0, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
});

test("retryDelayMs() stays at the cap where the power has long overflowed", () => {
  assert.equal(retryDelayMs(5_000, POLICY, 0.5), 300_000);
});

test("retryDelayMs() is constant with a factor of 1", () => {
  assert.equal(retryDelayMs(50, { ...POLICY, backoffFactor: 1 }, 0.5), 10_000);
});

test("jitter moves a wait both ways by up to its fraction, the cap included", () => {
  const policy = { ...POLICY, jitter: 0.1 };
  assert.equal(retryDelayMs(2, policy, 0), 9_000);
  assert.equal(retryDelayMs(2, policy, 0.5), 10_000);
  assert.equal(retryDelayMs(2, policy, 0.999_999_999), 11_000);
  assert.equal(retryDelayMs(20, policy, 0), 270_000);
});

test("jittered() is never negative, and whole", () => {
  assert.equal(jittered(10, 5, 0), 0);
  assert.equal(jittered(10, 0.33, 0.777), 12);
});
