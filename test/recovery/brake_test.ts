/**
 * When force is suspended on a host, and when it is permitted again.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { monotonicMs } from "../../src/domain/time.ts";
import type { Brake } from "../../src/recovery/brake.ts";
import { brakeDueAt, nextBrake, RELEASED } from "../../src/recovery/brake.ts";

const POLICY = { minVms: 2, fraction: 0.25, holdMs: 120_000 };
const ENGAGED: Brake = { engaged: true, calmSince: undefined };

const THRESHOLDS: readonly (readonly [suspectVms: number, totalVms: number, engages: boolean, why: string])[] = [
  [0, 0, false, "nothing runs"],
  [0, 8, false, "nothing is suspect"],
  [1, 1, false, "one alone is no shared cause, even if it is all there is"],
  [1, 4, false, "a quarter, but below min_vms"],
  [2, 2, true, "all of two"],
  [2, 8, true, "a quarter exactly"],
  [2, 9, false, "less than a quarter"],
  [3, 9, true, "more than a quarter"],
  [250, 1_000, true, "a quarter of many"],
  [249, 1_000, false, "less than a quarter of many"],
];

for (const [suspectVms, totalVms, engages, why] of THRESHOLDS) {
  test(`the brake ${engages ? "engages" : "stays released"} at ${suspectVms} of ${totalVms}: ${why}`, () => {
    assert.equal(nextBrake(RELEASED, { suspectVms, totalVms }, monotonicMs(0), POLICY).engaged, engages);
  });
}

test("the brake is released only after fewer were suspect for the whole hold", () => {
  const many = { suspectVms: 4, totalVms: 8 };
  const few = { suspectVms: 1, totalVms: 8 };
  let brake = nextBrake(RELEASED, many, monotonicMs(0), POLICY);
  brake = nextBrake(brake, few, monotonicMs(1_000), POLICY);
  assert.equal(brakeDueAt(brake, POLICY), 121_000);
  brake = nextBrake(brake, few, monotonicMs(120_999), POLICY);
  assert.equal(brake.engaged, true);
  brake = nextBrake(brake, few, monotonicMs(121_000), POLICY);
  assert.equal(brake.engaged, false);
});

test("a relapse within the hold begins it anew", () => {
  const many = { suspectVms: 4, totalVms: 8 };
  const few = { suspectVms: 1, totalVms: 8 };
  let brake = nextBrake(ENGAGED, few, monotonicMs(0), POLICY);
  brake = nextBrake(brake, many, monotonicMs(60_000), POLICY);
  assert.equal(brakeDueAt(brake, POLICY), undefined);
  brake = nextBrake(brake, few, monotonicMs(90_000), POLICY);
  brake = nextBrake(brake, few, monotonicMs(130_000), POLICY);
  assert.equal(brake.engaged, true);
  assert.equal(brakeDueAt(brake, POLICY), 210_000);
});

test("brakeDueAt() names nothing while the brake is released or the cause stands", () => {
  assert.equal(brakeDueAt(RELEASED, POLICY), undefined);
  assert.equal(brakeDueAt(ENGAGED, POLICY), undefined);
});
