import assert from "node:assert/strict";
import { test } from "node:test";
import { monotonicMs } from "../../src/domain/time.ts";
import { Rush } from "../../src/reliability/rush.ts";

/** Deaths at these instants, and when the rush ends as seen at the last of them. */
const CASES: readonly (readonly [name: string, deaths: readonly number[], endsAt: number | undefined])[] = [
  ["nobody dies", [], undefined],
  ["one dies", [1_000], 1_002],
  ["seven die at once", Array.from({ length: 7 }, () => 1_000), 1_002],
  ["eight die at once", Array.from({ length: 8 }, () => 1_000), 1_025],
  ["eight die one soon after the other", Array.from({ length: 8 }, (_, n) => 1_000 + n * 25), 1_200],
  ["eight die in no hurry", Array.from({ length: 8 }, (_, n) => 1_000 + n * 26), 1_184],
  ["they go on dying", Array.from({ length: 100 }, (_, n) => 1_000 + n * 2), 1_223],
  ["they go on dying for longer than anything waits", Array.from({ length: 300 }, (_, n) => 1_000 + n * 2), undefined],
  ["a second rush", [...Array.from({ length: 300 }, (_, n) => 1_000 + n * 2), ...Array(8).fill(3_000)], 3_025],
];

for (const [name, deaths, endsAt] of CASES) {
  test(`a rush ends ${endsAt ?? "at no time"} when ${name}`, () => {
    const rush = new Rush();
    for (const at of deaths) rush.add(monotonicMs(at));
    assert.equal(rush.endsAt(monotonicMs(deaths.at(-1) ?? 0)), endsAt);
  });
}
