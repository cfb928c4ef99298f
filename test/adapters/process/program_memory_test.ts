/**
 * When a remembered program still holds.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createProgramMemory } from "../../../src/adapters/process/program_memory.ts";
import type { ProgramImage, ProgramStanding } from "../../../src/adapters/process/read_program.ts";
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

const image: ProgramImage = {
  exe: "qemu-system-x86_64",
  argv: ["qemu-system-x86_64"],
  vmId: "a",
  launchHash: "0123abcd",
  incarnation: 1,
};
const standing: ProgramStanding = { uid: 0, unit: "metald-vm-a.service" };

function remembering(ageMs: number) {
  const memory = createProgramMemory();
  memory.rememberImage(PID, stat, image);
  memory.rememberStanding(PID, stat, standing, ageMs);
  return memory;
}

test("recallStanding gives what was remembered of an old process, for a minute or two", () => {
  const memory = remembering(OLD_MS);
  assert.equal(memory.recallStanding(PID, stat, OLD_MS + 59_000), standing);
  assert.equal(memory.recallStanding(PID, stat, OLD_MS + 120_000), undefined);
});

test("recallStanding trusts no memory of a young process, which may still change its user or its unit", () => {
  assert.equal(remembering(1000).recallStanding(PID, stat, 2000), undefined);
});

test("recallImage gives what was read once, however old, since to read it again might never end", () => {
  assert.equal(remembering(0).recallImage(PID, stat), image);
});

test("nothing is recalled of another program, or of another process with the same pid", () => {
  const memory = remembering(OLD_MS);
  const others = [{ program: "1,2,3,4,6" }, { program: undefined }, { startTicks: 101 }];
  for (const other of others) {
    assert.equal(memory.recallImage(PID, { ...stat, ...other }), undefined);
    assert.equal(memory.recallStanding(PID, { ...stat, ...other }, OLD_MS), undefined);
  }
});

test("rememberImage forgets the standing, which may have changed with the program", () => {
  const memory = remembering(OLD_MS);
  memory.rememberImage(PID, { ...stat, program: "another" }, image);
  assert.equal(memory.recallStanding(PID, { ...stat, program: "another" }, OLD_MS), undefined);
});

test("recallImage says what an ending process was, since it still holds its files and shows its name no more", () => {
  const ending = { ...stat, state: "D" as const, hasMemory: false, program: undefined };
  assert.equal(remembering(0).recallImage(PID, ending), image);
  assert.equal(remembering(0).recallImage(PID, { ...ending, startTicks: 101 }), undefined);
});

test("retain forgets all others", () => {
  const memory = remembering(OLD_MS);
  memory.retain(new Set([PID + 1]));
  assert.equal(memory.recallImage(PID, stat), undefined);
});
