/**
 * A few seeds, so that whoever runs the tests alone sees the simulator at work; `npm test` runs 200.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadDrain } from "./drain.ts";
import { runSeed } from "./run_seed.ts";

for (const seed of [1, 2, 3, 5, 8]) {
  test(`seed ${seed} ends without a violation`, async () => {
    const result = await runSeed({ seed, hours: 1, drain: await loadDrain() });
    assert.equal(result.violation, undefined, result.report.join("\n"));
    assert.ok(result.simulatedHours >= 1);
  });
}

test("a seed repeats itself exactly", async () => {
  const drain = await loadDrain();
  const first = await runSeed({ seed: 11, hours: 1, drain });
  const second = await runSeed({ seed: 11, hours: 1, drain });
  assert.equal(second.hash, first.hash);
  assert.equal(second.eventsRun, first.eventsRun);
});

test("the slow way of draining gives the same events as the fast one", async () => {
  const slow = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
  const fast = await runSeed({ seed: 7, hours: 0.05, drain: await loadDrain() });
  const other = await runSeed({ seed: 7, hours: 0.05, drain: slow });
  assert.equal(other.hash, fast.hash);
});
