import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { endProcess, markedProcesses } from "./marked_processes.ts";

const VARIABLE = "METALD_TEST_MARK";

test("markedProcesses() finds a process by its mark until it has ended, and endProcess() ends no other", async () => {
  const mark = randomUUID();
  const child = spawn("/bin/sleep", ["60"], { env: { [VARIABLE]: mark }, stdio: "ignore" });
  const ended = once(child, "exit");
  try {
    await once(child, "spawn");
    const [found, ...more] = markedProcesses(VARIABLE, mark);
    assert.deepEqual(more, []);
    assert.equal(found?.pid, child.pid);
    assert.ok(found !== undefined);
    assert.deepEqual(markedProcesses(VARIABLE, mark.slice(1)), []);
    endProcess({ pid: found.pid, startTicks: found.startTicks + 1 });
    assert.deepEqual(markedProcesses(VARIABLE, mark), [found]);
    endProcess(found);
    assert.deepEqual(await ended, [null, "SIGKILL"]);
    assert.deepEqual(markedProcesses(VARIABLE, mark), []);
    endProcess(found);
  } finally {
    child.kill("SIGKILL");
  }
});
