/**
 * Same seed, same events, under Bun and under Deno.
 * @module
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const TOP = fileURLToPath(new URL("../..", import.meta.url));
const SCRIPT = join(TOP, "test/sim/print_hashes.ts");
const TEST_TIMEOUT_MS = 120_000;

test("a seed gives the same events under Bun and under Deno", { timeout: TEST_TIMEOUT_MS }, async () => {
  const bun = await run(join(TOP, "node_modules/.bin/bun"), [SCRIPT]);
  const deno = await run(join(TOP, "node_modules/.bin/deno"), ["run", "-A", "--no-check", SCRIPT]);
  assert.match(bun.stdout, /^seed 1: [0-9a-f]{8} after \d+ events$/m);
  assert.equal(deno.stdout, bun.stdout);
});
