/**
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BriefEnd } from "../../../src/adapters/process/brief_program.ts";
import { createUnitReader } from "../../../src/adapters/systemd/manager.ts";

function answer(units: readonly string[]): BriefEnd {
  const stdout = units.map((unit) => `LoadState=loaded\nActiveState=active\nSubState=${unit}\n`).join("\n");
  return { kind: "ended", code: 0, stdout, stderr: "" };
}

/** A manager that answers only when it is told to. */
function slowManager() {
  const calls: { readonly units: readonly string[]; readonly end: (end: BriefEnd) => void }[] = [];
  const show = (units: readonly string[]) =>
    new Promise<BriefEnd>((resolve) => {
      calls.push({ units, end: resolve });
    });
  return { calls, show };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("what is asked in one turn is asked in one call, and later questions wait for a call that begins after them", async () => {
  const { calls, show } = slowManager();
  const read = createUnitReader(show);
  const first = ["a", "b"].map(read);
  await turn();
  const second = ["a", "c"].map(read);
  await turn();
  assert.deepEqual(
    calls.map(({ units }) => units),
    [["a", "b"]],
  );
  calls[0]?.end(answer(["a", "b"]));
  assert.deepEqual(
    (await Promise.all(first)).map((each) => each.kind === "state" && each.state.subState),
    ["a", "b"],
  );
  await turn();
  calls[1]?.end(answer(["a", "c"]));
  assert.deepEqual(
    (await Promise.all(second)).map((each) => each.kind === "state" && each.state.subState),
    ["a", "c"],
  );
});

test("a thousand questions are asked in calls of a bounded size", async () => {
  const sizes: number[] = [];
  const read = createUnitReader(async (units) => {
    sizes.push(units.length);
    return answer(units);
  });
  const readings = await Promise.all(Array.from({ length: 1000 }, (_, index) => read(`vm-${index}`)));
  assert.ok(readings.every((reading, index) => reading.kind === "state" && reading.state.subState === `vm-${index}`));
  assert.equal(Math.max(...sizes), 64);
});

test("one name that systemd does not take leaves the others their answers", async () => {
  const read = createUnitReader(async (units) =>
    units.includes("bad")
      ? { kind: "ended", code: 1, stdout: "", stderr: "Unit name bad is not valid.\n" }
      : answer(units),
  );
  const [good, bad] = await Promise.all([read("good"), read("bad")]);
  assert.equal(good?.kind, "state");
  assert.ok(bad?.kind === "unknown");
  assert.match(bad.error, /Unit name bad is not valid/);
});

test("a manager that does not answer in time makes every state unknown, and is asked once", async () => {
  let calls = 0;
  const read = createUnitReader(async () => {
    calls += 1;
    return { kind: "timed_out" };
  });
  const readings = await Promise.all([read("a"), read("b")]);
  assert.ok(readings.every(({ kind }) => kind === "unknown"));
  assert.equal(calls, 1);
});
