/**
 * Who starts next when many wait.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { monotonicMs } from "../../src/domain/time.ts";
import type { AdmissionClass, Candidate } from "../../src/recovery/admission.ts";
import { admit } from "../../src/recovery/admission.ts";
import { Seeded } from "../async/seeded.ts";

const NOW = monotonicMs(3_600_000);

/** `first`, priority 0, waiting since now, unless told. */
function candidate(
  id: string,
  change: { class?: AdmissionClass; priority?: number; waitedMs?: number } = {},
): Candidate {
  const { class: admissionClass = "first", priority = 0, waitedMs = 0 } = change;
  return { id, class: admissionClass, priority, waitingSince: monotonicMs(NOW - waitedMs) };
}

interface Case {
  readonly why: string;
  readonly candidates: readonly Candidate[];
  readonly slotsMax: number;
  readonly running?: readonly AdmissionClass[];
  readonly admitted: readonly string[];
}

const CASES: readonly Case[] = [
  { why: "nobody waits, so nobody starts", candidates: [], slotsMax: 4, admitted: [] },
  {
    why: "first attempts go before retries, and those before re-arms",
    candidates: [candidate("c", { class: "rearm" }), candidate("b", { class: "retry" }), candidate("a")],
    slotsMax: 4,
    admitted: ["a", "b", "c"],
  },
  {
    why: "the class weighs more than any priority and any wait",
    candidates: [candidate("retry", { class: "retry", priority: 1_000, waitedMs: 3_600_000 }), candidate("first")],
    slotsMax: 1,
    admitted: ["first"],
  },
  {
    why: "within a class the higher priority goes first",
    candidates: [candidate("low", { priority: -5 }), candidate("high", { priority: 5 }), candidate("none")],
    slotsMax: 2,
    admitted: ["high", "none"],
  },
  {
    why: "a minute of waiting counts as one priority: a little less does not outweigh it",
    candidates: [candidate("waited", { waitedMs: 59_999 }), candidate("prior", { priority: 1 })],
    slotsMax: 1,
    admitted: ["prior"],
  },
  {
    why: "a minute of waiting counts as one priority: a little more outweighs it",
    candidates: [candidate("prior", { priority: 1 }), candidate("waited", { waitedMs: 60_001 })],
    slotsMax: 1,
    admitted: ["waited"],
  },
  {
    why: "equals go by id, so that the order does not depend on the order of asking",
    candidates: [candidate("b"), candidate("a"), candidate("c")],
    slotsMax: 2,
    admitted: ["a", "b"],
  },
  {
    why: "slots that are held are not given twice",
    candidates: [candidate("a"), candidate("b")],
    slotsMax: 4,
    running: ["first", "retry", "first"],
    admitted: ["a"],
  },
  {
    why: "no slot is free, even when the limit was lowered meanwhile",
    candidates: [candidate("a")],
    slotsMax: 2,
    running: ["first", "first", "first"],
    admitted: [],
  },
  {
    why: "re-arms get at most half the slots",
    candidates: ["a", "b", "c"].map((id) => candidate(id, { class: "rearm" })),
    slotsMax: 4,
    admitted: ["a", "b"],
  },
  {
    why: "re-arms under way count against their half",
    candidates: ["a", "b"].map((id) => candidate(id, { class: "rearm" })),
    slotsMax: 4,
    running: ["rearm"],
    admitted: ["a"],
  },
  {
    why: "re-arms that may not start do not keep others from it",
    candidates: [candidate("rearm", { class: "rearm" }), candidate("first")],
    slotsMax: 4,
    running: ["rearm", "rearm"],
    admitted: ["first"],
  },
  {
    why: "with a single slot a re-arm still gets its turn",
    candidates: [candidate("a", { class: "rearm" })],
    slotsMax: 1,
    admitted: ["a"],
  },
  {
    why: "half of three slots is one",
    candidates: ["a", "b"].map((id) => candidate(id, { class: "rearm" })),
    slotsMax: 3,
    admitted: ["a"],
  },
];

for (const { why, candidates, slotsMax, running = [], admitted } of CASES) {
  test(`admit(): ${why}`, () => {
    const ids = admit(candidates, { slotsMax, running }, NOW).map(({ id }) => id);
    assert.deepEqual(ids, admitted);
  });
}

test("admit() starves nobody of a class: the lowest priority is served within the minutes that its rival is ahead", () => {
  const chance = new Seeded(7);
  const served: string[] = [];
  let waiting: Candidate[] = [{ id: "patient", class: "first", priority: 0, waitingSince: monotonicMs(0) }];
  // One slot, a start each 10 s, and one newcomer of priority up to 9 with each: the patient one outweighs them all
  // after 10 minutes.
  for (let turn = 0; turn < 61; turn += 1) {
    const now = monotonicMs(turn * 10_000);
    waiting.push({ id: `newcomer-${turn}`, class: "first", priority: chance.below(10), waitingSince: now });
    const [next] = admit(waiting, { slotsMax: 1, running: [] }, now);
    assert.ok(next !== undefined);
    served.push(next.id);
    waiting = waiting.filter(({ id }) => id !== next.id);
  }
  assert.ok(served.includes("patient"), `after ${served.length} starts the patient one still waits`);
});

test("admit() never gives more slots than there are, nor more than half of them to re-arms", () => {
  const chance = new Seeded(11);
  const classes = ["first", "retry", "rearm"] as const;
  for (let round = 0; round < 2_000; round += 1) {
    const slotsMax = 1 + chance.below(8);
    const running = Array.from({ length: chance.below(slotsMax + 1) }, () => chance.pick(classes));
    const candidates = Array.from({ length: chance.below(20) }, (_, index) =>
      candidate(`vm-${index}`, {
        class: chance.pick(classes),
        priority: chance.below(5),
        waitedMs: chance.below(300_000),
      }),
    );
    const admitted = admit(candidates, { slotsMax, running }, NOW);
    const rearms = admitted.filter((one) => one.class === "rearm").length;
    const rearmsRunning = running.filter((one) => one === "rearm").length;
    assert.ok(admitted.length + running.length <= slotsMax);
    assert.ok(rearms === 0 || rearms + rearmsRunning <= Math.max(1, slotsMax / 2));
    assert.equal(new Set(admitted.map(({ id }) => id)).size, admitted.length);
  }
});
