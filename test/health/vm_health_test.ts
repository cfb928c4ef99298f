/**
 * The hysteresis of health.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { monotonicMs } from "../../src/domain/time.ts";
import type { VmHealth } from "../../src/health/vm_health.ts";
import { CLEAN_SHEET, recordFailure, recordSuccess, recordUnknown } from "../../src/health/vm_health.ts";

const THRESHOLDS = { failureThreshold: 3, recoveryThreshold: 2 };

/** `+` a success, `-` a failure, `?` an unknown, one second apart; `!` where the verdict falls, `*` where it is lifted. */
function run(results: string, thresholds = THRESHOLDS): { readonly marks: string; readonly health: VmHealth } {
  let health = CLEAN_SHEET;
  let marks = "";
  for (const [index, result] of [...results].entries()) {
    const now = monotonicMs(index * 1_000);
    if (result === "+") {
      const step = recordSuccess(health, now, thresholds);
      marks += step.restoredAfterMs === undefined ? "." : "*";
      health = step.health;
    } else if (result === "-") {
      const step = recordFailure(health, now, thresholds);
      marks += step.verdict ? "!" : ".";
      health = step.health;
    } else {
      health = recordUnknown(health, "EMFILE").health;
      marks += ".";
    }
  }
  return { marks, health };
}

const RUNS: readonly (readonly [results: string, marks: string, unhealthy: boolean, why: string])[] = [
  ["", "", false, "a clean sheet is healthy"],
  ["--", "..", false, "below the threshold nothing is decided"],
  ["---", "..!", true, "the threshold brings the verdict"],
  ["-----", "..!..", true, "the verdict falls once"],
  ["--+--", ".....", false, "a success begins the count anew"],
  ["--?-", "...!", true, "an unknown neither counts nor resets"],
  ["-?-?-?", "....!.", true, "unknowns between misses change nothing"],
  ["---+", "..!.", true, "one success does not lift the verdict"],
  ["---++", "..!.*", false, "recovery_threshold successes do"],
  ["---+-+", "..!...", true, "they have to be in a row"],
  ["---+?+", "..!..*", false, "an unknown does not break their row"],
  ["---++---", "..!.*..!", true, "a verdict that was lifted can fall again"],
];

for (const [results, marks, unhealthy, why] of RUNS) {
  test(`health after "${results}": ${why}`, () => {
    const ran = run(results);
    assert.equal(ran.marks, marks);
    assert.equal(ran.health.unhealthy, unhealthy);
  });
}

test("a threshold of one decides at the first result", () => {
  assert.equal(run("-+", { failureThreshold: 1, recoveryThreshold: 1 }).marks, "!*");
});

test("the downtime runs from the first miss, through successes that were too few", () => {
  let health = run("---+").health;
  health = recordFailure(health, monotonicMs(5_000), THRESHOLDS).health;
  health = recordSuccess(health, monotonicMs(9_000), THRESHOLDS).health;
  assert.equal(recordSuccess(health, monotonicMs(10_000), THRESHOLDS).restoredAfterMs, 10_000);
});

test("an unknown is said once per change, and again after a result", () => {
  const first = recordUnknown(CLEAN_SHEET, "EMFILE");
  const again = recordUnknown(first.health, "EMFILE");
  const other = recordUnknown(again.health, "EACCES");
  const afterwards = recordUnknown(recordSuccess(other.health, monotonicMs(0), THRESHOLDS).health, "EACCES");
  assert.deepEqual([first.changed, again.changed, other.changed, afterwards.changed], [true, false, true, true]);
});
