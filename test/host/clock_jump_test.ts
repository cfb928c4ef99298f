/**
 * The host's wall clock jumps by a year, forth and back, while VMs run: the real agent, with a clock that it believes to be the host's.
 *
 * The machine's own clock is not the test's to set, so a library that is loaded into the agent alone tells it the time.
 * @module
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { it } from "node:test";
import type { Box } from "./box/box.ts";
import {
  agentProcesses,
  dropIn,
  HOLDS,
  runningVms,
  SLEEPING_VM,
  vmProcesses,
  waitForLog,
  withMetald,
  writeRecord,
} from "./box/metald_box.ts";
import { NAMESPACED_HOST } from "./box/permitted.ts";
import { describeWhere, type Requirement } from "./requires.ts";
import { waitFor } from "./wait.ts";

const LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const CLOCK = "/srv/clock";
const YEAR_DAYS = 366;

const FAKETIME: Requirement = { what: "libfaketime (Debian: libfaketime)", met: () => existsSync(LIBRARY) };

describeWhere([NAMESPACED_HOST, FAKETIME], "a wall clock that jumps", () => {
  it("moves no deadline, ends no hold early, and hides no death", { timeout: 120_000 }, async () => {
    await withMetald("host", async (box) => {
      await setClock(box, "+0");
      const variables = [
        `LD_PRELOAD=${LIBRARY}`,
        `FAKETIME_TIMESTAMP_FILE=${CLOCK}`,
        "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
      ];
      const environment = variables.map((each) => `Environment=${each}\n`).join("");
      await dropIn(box, `[Service]\n${environment}WatchdogSec=5s\n`);
      await box.output(["systemctl", "restart", "metald"]);
      for (const id of ["vm-1", "vm-2"]) await writeRecord(box, id, SLEEPING_VM);
      await runningVms(box, 2);
      for (const id of ["vm-1", "vm-2"]) await waitForLog(box, "vm started", `vm_id=${id}`);
      const expires = new Date(Date.now() + 3_600_000).toISOString();
      await box.write(`${HOLDS}/vm-2.json`, JSON.stringify({ reason: "work", actor: "test", expires }), "600");
      await waitForLog(box, "vm held", "vm_id=vm-2");
      const agent = agentProcesses(box);

      for (const [jump, days] of [
        ["forth", YEAR_DAYS],
        ["back", -YEAR_DAYS],
      ] as const) {
        const held = vmProcesses(box).find((each) => each.includes("vm-2"));
        await setClock(box, `${days > 0 ? "+" : ""}${days}d`);
        const year = new Date(Date.now() + days * 86_400_000).getUTCFullYear();
        await killVm(box, "vm-1");
        const line = await waitFor(`the death after a jump ${jump} is told`, async () =>
          (await lines(box)).find((each) => each.includes("vm recovery successful") && each.includes(`time=${year}-`)),
        );
        assert.match(line, /vm_id=vm-1 .*total_duration=([0-9.]+ms|[0-9](\.[0-9]+)?s)( |$)/);
        // A hold that names an instant of the old clock binds until as much time has really gone by.
        assert.ok(!(await lines(box)).some((each) => each.includes("vm released")), jump);
        assert.ok(held !== undefined && vmProcesses(box).includes(held), jump);
      }
      assert.deepEqual(agentProcesses(box), agent, "the watchdog did not see a hung agent");
      const said = await lines(box);
      assert.ok(!said.some((each) => each.includes("event loop late")), said.join("\n"));
      assert.equal(said.filter((each) => each.includes("orphaned vm detected")).length, 2);
    });
  });
});

async function setClock(box: Box, offset: string): Promise<void> {
  await box.write(CLOCK, `${offset}\n`);
}

async function killVm(box: Box, id: string): Promise<void> {
  await box.output(["systemctl", "kill", "-s", "KILL", `metald-vm-${id}`]);
}

async function lines(box: Box): Promise<readonly string[]> {
  return (await box.journal("-b", "-u", "metald", "-o", "cat")).split("\n");
}
