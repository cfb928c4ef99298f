/**
 * The demonstration as somebody runs it, and as somebody interrupts it. Needs `npm run build`, which it does again by itself.
 * @module
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { DEMO_VARIABLE } from "../demo/demo_vms.ts";
import { markedProcesses } from "../demo/marked_processes.ts";
import { ROOT, tool } from "../tool/root.ts";

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs the demonstration; `onOutput` sees all of its output so far. */
async function demo(onOutput: (output: string, pid: number) => void, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(tool("bun"), [join(ROOT, "test/demo/demo.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  try {
    let output = "";
    const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      onOutput(output, child.pid ?? 0);
    });
    return { code: await closed, output };
  } finally {
    child.kill("SIGTERM");
  }
}

function assertNothingLeft(output: string): void {
  const directory = /everything is in (\S+)/.exec(output)?.[1];
  assert.ok(directory !== undefined, output);
  assert.equal(existsSync(directory), false);
  assert.deepEqual(markedProcesses(DEMO_VARIABLE, directory), []);
}

test("the demonstration shows a recovery and leaves nothing behind", async () => {
  const { code, output } = await demo(() => {});
  assert.equal(code, 0, output);
  assert.match(output, /msg="orphaned vm detected" .* reason=process_dead/);
  assert.match(output, /msg="vm recovery successful"/);
  assert.match(output, /detected after [\d.]+ ms/);
  assert.match(output, /3 of 3 VMs run on without it/);
  assertNothingLeft(output);
});

test("the demonstration shows plain processes where there is no QEMU", async () => {
  const { code, output } = await demo(() => {}, { PATH: "/nonexistent" });
  assert.equal(code, 0, output);
  assert.match(output, /three plain processes/);
  assertNothingLeft(output);
});

test("an interrupted demonstration leaves nothing behind either", async () => {
  let interrupted = false;
  const { code, output } = await demo((soFar, pid) => {
    if (interrupted || !soFar.includes('msg="vm adopted"')) return;
    interrupted = true;
    process.kill(pid, "SIGINT");
  });
  assert.equal(code, 1, output);
  assert.match(output, /interrupted by SIGINT/);
  assertNothingLeft(output);
});
