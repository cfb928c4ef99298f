/**
 * When a remembered program still holds.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createProgramMemory } from "../../../src/adapters/process/program_memory.ts";
import type { ProgramParts } from "../../../src/adapters/process/read_program.ts";
import type { Stat } from "../../../src/adapters/process/stat.ts";

const PID = 64;
const OLD_MS = 3_600_000;

const stat: Stat = {
  state: "S",
  parentPid: 1,
  sessionId: PID,
  kernelThread: false,
  cpuMs: 0,
  threads: 1,
  startTicks: 100,
  hasMemory: true,
  program: "1,2,3,4,5",
};

const parts: ProgramParts = {
  uid: 0,
  exe: "qemu-system-x86_64",
  argv: ["qemu-system-x86_64"],
  unit: "metald-vm-a.service",
  vmId: "a",
  launchHash: "0123abcd",
  incarnation: 1,
};

function remembering(ageMs: number) {
  const memory = createProgramMemory();
  memory.remember(PID, stat, parts, ageMs);
  return memory;
}

test("recall gives what was remembered of an old process, for a minute or two", () => {
  const memory = remembering(OLD_MS);
  assert.equal(memory.recall(PID, stat, OLD_MS + 59_000), parts);
  assert.equal(memory.recall(PID, stat, OLD_MS + 120_000), undefined);
});

test("recall trusts no memory of a young process, which may still change its user or its unit", () => {
  assert.equal(remembering(1000).recall(PID, stat, 2000), undefined);
});

test("recall trusts no memory of another program, or of another process with the same pid", () => {
  const memory = remembering(OLD_MS);
  assert.equal(memory.recall(PID, { ...stat, program: "1,2,3,4,6" }, OLD_MS), undefined);
  assert.equal(memory.recall(PID, { ...stat, program: undefined }, OLD_MS), undefined);
  assert.equal(memory.recall(PID, { ...stat, startTicks: 101 }, OLD_MS), undefined);
});

test("recallEnding says what an ending process was, since it still holds its files and shows its name no more", () => {
  const ending = { ...stat, state: "D" as const, hasMemory: false, program: undefined };
  const blank = { ...parts, exe: "", argv: [], vmId: undefined, launchHash: undefined, incarnation: undefined };
  assert.deepEqual(remembering(1000).recallEnding(PID, ending, blank), parts);
  assert.deepEqual(remembering(1000).recallEnding(PID, { ...ending, startTicks: 101 }, blank), blank);
});

test("retain forgets all others", () => {
  const memory = remembering(OLD_MS);
  memory.retain(new Set([PID + 1]));
  assert.equal(memory.recall(PID, stat, OLD_MS), undefined);
});
