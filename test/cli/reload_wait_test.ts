/**
 * Waiting for a reload, against a process that answers the signal by the real file.
 * @module
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createReloadOutcomes, type ReloadOutcome, readReloadOutcome } from "../../src/adapters/status/reload_file.ts";
import { reloadAndWait } from "../../src/cli/reload_wait.ts";

const PID = 4242;

/** Reloads once before, so that an old outcome lies about. */
async function reload(outcome: ReloadOutcome | undefined, mainPid: string | undefined = String(PID)) {
  const directory = mkdtempSync(join(tmpdir(), "metald-reload-"));
  try {
    const publish = createReloadOutcomes(directory, PID);
    publish({ errors: ["an old error"], changed: [] });
    while (readReloadOutcome(directory, PID) === undefined) await new Promise((resolve) => setImmediate(resolve));
    const said: string[] = [];
    const code = await reloadAndWait({
      mainPid,
      readOutcome: (pid) => readReloadOutcome(directory, pid),
      hangUp(pid, signal) {
        assert.equal(pid, PID);
        if (outcome === undefined) throw new Error("kill ESRCH");
        if (signal === "SIGHUP") publish(outcome);
      },
      output: { print: (text) => said.push(text.trim()), complain: (line) => said.push(line) },
    });
    return { code, said };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

test("a reload that is taken says what has changed", async () => {
  const changed = ["log.level", "state_dir (needs a restart)"];
  const said = ["changed: log.level, state_dir (needs a restart)"];
  assert.deepEqual(await reload({ errors: [], changed }), { code: 0, said });
  assert.deepEqual(await reload({ errors: [], changed: [] }), { code: 0, said: ["nothing has changed"] });
});

test("a reload that is rejected fails with every error, and with none of an earlier reload", async () => {
  assert.deepEqual(await reload({ errors: ["one", "two"], changed: [] }), { code: 78, said: ["one", "two"] });
});

test("an agent that is gone fails the reload", async () => {
  const { code, said } = await reload(undefined);
  assert.equal(code, 1);
  assert.match(said.join(), /Cannot signal the agent, pid 4242: kill ESRCH/);
});

test("without a service there is nobody to be told", async () => {
  for (const mainPid of [undefined, "", "1", "x"])
    assert.equal((await reload({ errors: [], changed: [] }, mainPid ?? "")).code, 64);
});
