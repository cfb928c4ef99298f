/**
 * The journal keeps every line of an incident: what the unit says of rate limits is what journald does.
 * @module
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Box } from "./box/box.ts";
import { dropIn, withMetald } from "./box/metald_box.ts";
import { NAMESPACED_HOST } from "./box/permitted.ts";
import { describeWhere } from "./requires.ts";

/** What 4,000 VMs that die together have to say, and three times what journald keeps of a unit that says nothing about it. */
const LINES = 40_000;
const WRITE = ["/bin/sh", "-c", `seq ${LINES} | sed 's/^/line of an incident /'`];

describeWhere([NAMESPACED_HOST], "the journal of an incident", () => {
  it("is whole, where that of an ordinary unit has lines suppressed", { timeout: 120_000 }, async () => {
    await withMetald("host", async (box) => {
      await dropIn(box, `[Service]\nExecReload=\nExecReload=${WRITE.map((each) => JSON.stringify(each)).join(" ")}\n`);
      await box.output(["systemctl", "reload", "metald"]);
      assert.equal(await linesOf(box, "metald"), LINES);

      await box.output(["systemd-run", "--quiet", "--wait", "--unit=ordinary", ...WRITE]);
      const kept = await linesOf(box, "ordinary");
      assert.ok(kept > 0 && kept < LINES, `${kept} lines of an ordinary unit`);
    });
  });
});

async function linesOf(box: Box, unit: string): Promise<number> {
  await box.output(["journalctl", "--sync"]);
  return Number(await box.shell(`journalctl -q -b -u ${unit} -o cat | grep -c "line of an incident"`));
}
