import assert from "node:assert/strict";
import { test } from "node:test";
import { durationText } from "../../src/observability/duration_text.ts";

const CASES: readonly (readonly [durationMs: number, text: string])[] = [
  [0, "0s"],
  [0.004, "0s"],
  [0.35, "0.35ms"],
  [8.4, "8.4ms"],
  [9.999, "10ms"],
  [12.34, "12.3ms"],
  [99.96, "100ms"],
  [350, "350ms"],
  [999.4, "999ms"],
  [999.6, "1s"],
  [1_250, "1.25s"],
  [12_345, "12.345s"],
  [59_999.7, "1m"],
  [60_000, "1m"],
  [119_700, "2m"],
  [125_000, "2m5s"],
  [3_600_000, "1h"],
  [5_405_000, "1h30m5s"],
  [93_600_000, "26h"],
  [-1_250, "-1.25s"],
  [Number.NaN, "unknown"],
  [Number.POSITIVE_INFINITY, "unknown"],
];

for (const [durationMs, text] of CASES) {
  test(`durationText() writes ${durationMs} ms as ${text}`, () => {
    assert.equal(durationText(durationMs), text);
  });
}
