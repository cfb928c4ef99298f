/**
 * Programs that answer, or do not.
 * @module
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { answersReads } from "../../../src/adapters/process/answers_reads.ts";
import { runBriefly } from "../../../src/adapters/process/brief_program.ts";

test("runBriefly gives what a program says, and its exit code", async () => {
  const end = await runBriefly("sh", ["-c", "echo out; echo err >&2; exit 3"], 10_000);
  assert.deepEqual(end, { kind: "ended", code: 3, stdout: "out\n", stderr: "err\n" });
});

test("runBriefly abandons a program at the deadline", async () => {
  assert.deepEqual(await runBriefly("sleep", ["600"], 50), { kind: "timed_out" });
});

test("runBriefly tells when there is no such program", async () => {
  const end = await runBriefly("/nonexistent/program", [], 10_000);
  assert.ok(end.kind === "failed");
  assert.match(end.error, /^Cannot run \/nonexistent\/program: /);
});

test("answersReads tells what can be read, or refuses to be, from what never answers", async () => {
  assert.equal(await answersReads("/proc/self/environ", 10_000), true);
  assert.equal(await answersReads("/nonexistent", 10_000), true);
  const directory = mkdtempSync(join(tmpdir(), "metald-mute-"));
  try {
    // A pipe without a writer stands in for memory whose map is locked.
    const mute = join(directory, "mute");
    execFileSync("mkfifo", [mute]);
    assert.equal(await answersReads(mute, 50), false);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
