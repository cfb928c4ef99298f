/**
 * The host's clocks: the contract, and the origin that outlives the agent.
 * @module
 */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createSystemClock } from "../../../src/adapters/clock/system_clock.ts";
import { createSystemRandom } from "../../../src/adapters/clock/system_random.ts";
import { after } from "../../../src/domain/time.ts";
import { clockContract } from "../../contract/clock_contract.ts";
import { eventually } from "../process/host_processes.ts";

clockContract("system clock", async () => ({ clock: createSystemClock(), eventually }));

test("monotonic counts from the boot of the host, so that the next run of the agent counts on", () => {
  const uptimeMs = () => Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]) * 1000;
  const clock = createSystemClock();
  const before = uptimeMs();
  const now = clock.monotonic();
  // The kernel counts the uptime in steps of 10 ms.
  assert.ok(before - 20 <= now && now <= uptimeMs() + 20, `${before} ${now}`);
});

test("schedule waits for an instant beyond the longest timer of the runtime, rather than call at once", async () => {
  const clock = createSystemClock();
  let calls = 0;
  const cancel = clock.schedule(after(clock.monotonic(), 2 ** 31 + 1000), () => {
    calls += 1;
  });
  let passed = false;
  clock.schedule(after(clock.monotonic(), 20), () => {
    passed = true;
  });
  await eventually(() => passed);
  assert.equal(calls, 0);
  cancel();
});

test("createSystemClock refuses an uptime that is none", () => {
  const directory = mkdtempSync(join(tmpdir(), "metald-clock-"));
  try {
    const uptimePath = join(directory, "uptime");
    writeFileSync(uptimePath, "soon\n");
    assert.throws(() => createSystemClock({ uptimePath }), /Cannot tell time as .* current value is "soon\\n"/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("next lies in [0, 1)", () => {
  const random = createSystemRandom();
  const samples = Array.from({ length: 100 }, () => random.next());
  assert.ok(samples.every((sample) => sample >= 0 && sample < 1));
  assert.ok(new Set(samples).size > 1);
});
