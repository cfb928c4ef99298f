/**
 * Lines of `/proc/<pid>/stat`.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStat } from "../../../src/adapters/process/stat.ts";

/** Fields 3 to 52 of a sleeping process, with some of them replaced. */
function line(comm: string, replaced: Readonly<Record<number, string | number>> = {}): string {
  const fields = Array.from({ length: 50 }, (_, index) => {
    const number = index + 3;
    return replaced[number] ?? { 3: "S", 4: 10, 6: 20, 14: 30, 15: 12, 20: 2, 22: 4711, 23: 4096, 51: 99 }[number] ?? 0;
  });
  return `123 (${comm}) ${fields.join(" ")}\n`;
}

test("parseStat reads the fields that follow the name", () => {
  assert.deepEqual(parseStat(line("qemu-system-x86")), {
    state: "S",
    parentPid: 10,
    sessionId: 20,
    kernelThread: false,
    cpuMs: 420,
    threads: 2,
    startTicks: 4711,
    hasMemory: true,
    program: "(qemu-system-x86) 0 0 0 99 0",
  });
});

test("parseStat cannot be misled by a name that looks like the fields after it", () => {
  for (const comm of ["a b", ")", "(", "x) Z 1 1 1 (y", "", "a\nb"]) {
    assert.equal(parseStat(line(comm))?.startTicks, 4711, comm);
  }
});

test("parseStat knows threads of the kernel by their flag, not by their name", () => {
  assert.equal(parseStat(line("kworker/0:1", { 9: 0x00200000 | 0x40 }))?.kernelThread, true);
  assert.equal(parseStat(line("kworker/0:1", { 9: 0x40 }))?.kernelThread, false);
});

test("parseStat knows no program in the midst of an exec, nor after the end of one", () => {
  assert.equal(parseStat(line("vmm", { 51: 0 }))?.program, undefined);
  assert.deepEqual(
    [parseStat(line("vmm", { 23: 0, 51: 0 }))].map((stat) => [stat?.hasMemory, stat?.program]),
    [[false, undefined]],
  );
});

test("parseStat refuses what is no such line", () => {
  for (const text of ["", "123", "123 (vmm) ", "123 (vmm) Q 1", line("vmm", { 22: "x" }), line("vmm", { 3: "SS" })]) {
    assert.equal(parseStat(text), undefined, text);
  }
});
