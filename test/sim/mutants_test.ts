/**
 * Shows that the checkers bite: each broken core is caught within 200 seeds.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { runMutant } from "./mutant_run.ts";
import { MUTANTS } from "./mutants.ts";

const SEEDS_MAX = 200;
const CAUGHT = 1;
const TEST_TIMEOUT_MS = 240_000;

for (const mutant of MUTANTS) {
  test(`mutant ${mutant.name}, which ${mutant.why}, is caught`, { timeout: TEST_TIMEOUT_MS }, async () => {
    const outcome = await runMutant(mutant.name, ["--seeds", String(SEEDS_MAX), "--stop-at-first"]);
    assert.equal(outcome.code, CAUGHT, `the run ended so: ${outcome.lastLines}`);
    assert.match(outcome.lastLines, / violations$/);
  });
}
