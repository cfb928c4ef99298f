/**
 * `systemctl reload metald`, as an operator uses it: it waits, and its exit status is what came of it.
 * @module
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Box } from "./box/box.ts";
import {
  agentProcesses,
  CONFIGURATION,
  runningVms,
  SLEEPING_VM,
  vmProcesses,
  waitForLog,
  withMetald,
  writeRecord,
} from "./box/metald_box.ts";
import { NAMESPACED_HOST } from "./box/permitted.ts";
import { describeWhere } from "./requires.ts";

const RELOAD = ["systemctl", "reload", "metald"];

describeWhere([NAMESPACED_HOST], "systemctl reload metald", () => {
  it("applies a good file, names what it cannot apply, refuses a bad one, and touches no VM", async () => {
    await withMetald("host", async (box) => {
      await writeRecord(box, "vm-1", SLEEPING_VM);
      const vms = await runningVms(box, 1);
      await waitForLog(box, "vm started", "vm_id=vm-1");
      const agent = agentProcesses(box);
      const before: unknown = JSON.parse(await box.output(["cat", CONFIGURATION]));

      await configure(box, before, { recovery: { max_retries: 7 } });
      await box.output(RELOAD);
      await waitForLog(box, "configuration reloaded", "recovery.max_retries");

      await configure(box, before, { recovery: { max_retries: 7 }, state_dir: "/run/metald-other" });
      await box.output(RELOAD);
      await waitForLog(box, "configuration reloaded", "state_dir (needs a restart)");

      await configure(box, before, { recovery: { max_retries: -1, retry_intervall: "1s" } });
      const rejected = await box.run(RELOAD);
      assert.notEqual(rejected.code, 0);
      const rejection = ["level=ERROR", "configuration rejected", CONFIGURATION];
      await waitForLog(box, ...rejection, "recovery.max_retries", "1 to 1000", "-1");
      await waitForLog(box, ...rejection, "recovery.retry_intervall", "unknown");
      assert.equal((await box.run(["metald", "config", "check"])).code, 78);

      await box.output(["rm", CONFIGURATION]);
      assert.notEqual((await box.run(RELOAD)).code, 0);
      await waitForLog(box, ...rejection, "must exist");

      // The old one is in force: a VM dies, and is brought back.
      await box.output(["systemctl", "kill", "-s", "KILL", "metald-vm-vm-1"]);
      await waitForLog(box, "attempting vm recovery", "vm_id=vm-1");
      await waitForLog(box, "starting vm recovery", "max_retries=7");
      await waitForLog(box, "vm recovery successful", "vm_id=vm-1");
      assert.notDeepEqual(vmProcesses(box), vms);
      assert.deepEqual(agentProcesses(box), agent);
    });
  });
});

/** Replaces the file by one that says more. */
async function configure(box: Box, before: unknown, more: Readonly<Record<string, unknown>>): Promise<void> {
  await box.write(CONFIGURATION, JSON.stringify(merged(before, more)), "600");
}

function merged(before: unknown, more: unknown): unknown {
  if (!isSection(before) || !isSection(more)) return more;
  const names = Object.entries(more).map(([name, value]) => [name, merged(before[name], value)] as const);
  return { ...before, ...Object.fromEntries(names) };
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
