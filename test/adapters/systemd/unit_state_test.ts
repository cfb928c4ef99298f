/**
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  describeUnit,
  parseUnitStates,
  unitActivity,
  whyNotItsName,
} from "../../../src/adapters/systemd/unit_state.ts";

/** As systemd 252 prints it. */
function shown(values: Readonly<Record<string, string>>): string {
  const all = {
    MainPID: "0",
    Result: "success",
    ExecMainStartTimestampMonotonic: "0",
    ExecMainPID: "0",
    ExecMainCode: "0",
    ExecMainStatus: "0",
    LoadState: "loaded",
    ActiveState: "inactive",
    SubState: "dead",
    Job: "",
    ...values,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

function parsed(values: Readonly<Record<string, string>>) {
  const [state] = parseUnitStates(shown(values)) ?? [];
  assert.ok(state !== undefined);
  return state;
}

const RUNNING = { ActiveState: "active", SubState: "running", MainPID: "102", ExecMainPID: "102" };

test("a unit that runs has a main process and no exit", () => {
  const state = parsed({ ...RUNNING, ExecMainStartTimestampMonotonic: "3914156648" });
  assert.equal(state.mainPid, 102);
  assert.equal(state.lastMainPid, 102);
  assert.equal(state.lastMainStartTicks, 391415);
  assert.equal(state.exit, undefined);
  assert.equal(state.hasJob, false);
});

test("how the last main process ended is a code or a signal by name", () => {
  const cases = [
    { ExecMainCode: "1", ExecMainStatus: "0", exit: { code: 0, signal: undefined } },
    { ExecMainCode: "1", ExecMainStatus: "217", exit: { code: 217, signal: undefined } },
    { ExecMainCode: "2", ExecMainStatus: "9", exit: { code: undefined, signal: "SIGKILL" } },
    { ExecMainCode: "3", ExecMainStatus: "11", exit: { code: undefined, signal: "SIGSEGV" } },
  ];
  for (const { exit, ...values } of cases) assert.deepEqual(parsed({ ExecMainPID: "102", ...values }).exit, exit);
});

test("a unit is idle when it runs nothing and nothing is queued, and one that stays to tell its exit code is", () => {
  const cases = [
    { ActiveState: "inactive", SubState: "dead", LoadState: "not-found", activity: "idle" },
    { ActiveState: "failed", SubState: "failed", activity: "idle" },
    { ActiveState: "active", SubState: "exited", activity: "idle" },
    { ...RUNNING, activity: "busy" },
    { ActiveState: "activating", SubState: "start", activity: "busy" },
    { ActiveState: "activating", SubState: "auto-restart", activity: "busy" },
    { ActiveState: "deactivating", SubState: "stop-sigterm", activity: "busy" },
    { ActiveState: "inactive", SubState: "dead", Job: "77", activity: "busy" },
    { ActiveState: "maintenance", SubState: "dead", activity: "unknown" },
  ];
  for (const { activity, ...values } of cases) assert.equal(unitActivity(parsed(values)), activity, shown(values));
});

test("several units are read in the order in which they were asked for", () => {
  const states = parseUnitStates(`${shown(RUNNING)}\n${shown({ ActiveState: "failed" })}`);
  assert.deepEqual(
    states?.map(({ activeState }) => activeState),
    ["active", "failed"],
  );
});

test("an answer that lacks what was asked for is no answer", () => {
  assert.equal(parseUnitStates("MainPID=1\n"), undefined);
  assert.deepEqual(parseUnitStates(""), []);
});

test("a unit is described for a person in one line", () => {
  assert.equal(describeUnit("a.service", parsed(RUNNING)), "a.service is active (running)");
  const gone = parsed({ LoadState: "not-found", Job: "7" });
  assert.equal(describeUnit("a.service", gone), "a.service is inactive (dead), not-found, a job is queued");
});

test("a unit that was asked for by another name is told by its own", () => {
  assert.equal(whyNotItsName("a.service", parsed(RUNNING)), undefined);
  assert.equal(whyNotItsName("a.service", parsed({ ...RUNNING, Id: "a.service" })), undefined);
  const why = whyNotItsName("alias.service", parsed({ ...RUNNING, Id: "a.service" }));
  assert.equal(
    why,
    "Cannot use alias.service as a record must name a unit by its own name: current value is an alias of a.service",
  );
});
