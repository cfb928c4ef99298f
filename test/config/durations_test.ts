import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "../../src/config/durations.ts";

test("parseDuration gives milliseconds for a number with a unit", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["0s", 0],
    ["250ms", 250],
    ["30s", 30_000],
    ["1.5h", 5_400_000],
    ["5m", 300_000],
    ["7d", 604_800_000],
  ];
  for (const [text, milliseconds] of cases) assert.equal(parseDuration(text), milliseconds, text);
});

test("parseDuration refuses what ms would guess at, as a bare number has no unit and an unknown unit no meaning", () => {
  for (const text of ["", "30", "s", "-5s", "+5s", "1 fortnight", "5 s", "5S", "1m30s", "1e3s", ".5s", "1y", "٣s"]) {
    assert.equal(parseDuration(text), undefined, text);
  }
});
