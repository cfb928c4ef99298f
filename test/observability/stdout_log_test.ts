import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import process from "node:process";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readLogfmt } from "./logfmt_reader.ts";

const PROGRAM = fileURLToPath(new URL("./stdout_program.ts", import.meta.url));
const ON_DENO = "Deno" in globalThis;
const ARGUMENTS = ON_DENO ? ["run", "-A", "--no-check", PROGRAM] : ["run", PROGRAM];
const LINES = 3_000;

async function textOf(stream: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stream.setEncoding("utf8")) text += chunk;
  return text;
}

test("a log whose reader stalls goes on, loses lines rather than memory, and says how many", async () => {
  const child = spawn(process.execPath, ARGUMENTS, { stdio: ["ignore", "pipe", "pipe"] });
  try {
    if (!ON_DENO) {
      // Nobody has read stdout yet: under Bun the program must get past its lines all the same.
      await new Promise((resolve) => child.stderr.once("data", resolve));
    }
    const text = await textOf(child.stdout);
    const lines = text.trimEnd().split("\n").map(readLogfmt);
    const written = lines.filter((pairs) => pairs.some(([key]) => key === "text")).length;
    const dropped = lines.flatMap((pairs) =>
      pairs.filter(([key]) => key === "count").map(([, count]) => Number(count)),
    );
    assert.equal(written + dropped.reduce((sum, count) => sum + count, 0), LINES);
    if (!ON_DENO) assert.ok(dropped.length > 0, "the cap of 1 MiB was not reached by 3 MB");
  } finally {
    child.kill("SIGKILL");
  }
});

test("a log whose reader is gone does not end the agent", async () => {
  const child = spawn(process.execPath, ARGUMENTS, { stdio: ["ignore", "pipe", "pipe"] });
  try {
    child.stdout.destroy();
    const exit = new Promise((resolve) => child.once("exit", resolve));
    assert.equal(await textOf(child.stderr), "the loop goes on\n");
    assert.equal(await exit, 0);
  } finally {
    child.kill("SIGKILL");
  }
});
