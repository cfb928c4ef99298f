/**
 * What every launcher promises, real or simulated.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { VmRecord } from "../../src/domain/vm_record.ts";
import type { Launcher, LaunchOutcome } from "../../src/ports/launcher.ts";
import type { ProcessTable } from "../../src/ports/process_table.ts";

/** What the program of a record does. */
export type ProgramBehaviour =
  | { readonly kind: "lives" }
  | { readonly kind: "exits"; readonly code: number }
  /** There is no such program. */
  | { readonly kind: "missing" };

export interface LauncherFixture {
  readonly launcher: Launcher;
  /** The table of the same host. */
  readonly table: ProcessTable;
  /** A record with an id of its own on this host. */
  recordOf(behaviour: ProgramBehaviour): VmRecord;
  /** Lets time pass until the condition holds; fails when it does not within a few seconds. */
  eventually(condition: () => Promise<boolean>): Promise<void>;
  /** Ends everything that was launched. */
  dispose(): Promise<void>;
}

export function launcherContract(name: string, makeFixture: () => Promise<LauncherFixture>): void {
  const contract = (rule: string, check: (fixture: LauncherFixture) => Promise<void>) =>
    test(`${name}: ${rule}`, async () => {
      const fixture = await makeFixture();
      try {
        await check(fixture);
      } finally {
        await fixture.dispose();
      }
    });

  const processOf = (outcome: LaunchOutcome) => {
    assert.ok(outcome.kind === "launched", JSON.stringify(outcome));
    return outcome.process;
  };

  contract("launch starts one process that lives and carries the marks of its VM", async (fixture) => {
    const record = fixture.recordOf({ kind: "lives" });
    const identity = processOf(await fixture.launcher.launch({ record, incarnation: 3 }));
    await fixture.eventually(async () => (await fixture.table.describe(identity))?.vmId === record.id);
    const facts = await fixture.table.describe(identity);
    assert.equal(facts?.launchHash, record.launchHash);
    assert.equal(facts?.incarnation, 3);
    const scan = await fixture.table.scan();
    assert.ok(scan.kind === "scanned");
    assert.equal(scan.processes.filter((each) => each.vmId === record.id).length, 1);
  });

  contract("a program that does not exist is refused by name, and leaves nothing behind", async (fixture) => {
    const record = fixture.recordOf({ kind: "missing" });
    const outcome = await fixture.launcher.launch({ record, incarnation: 1 });
    assert.ok(outcome.kind === "refused", JSON.stringify(outcome));
    assert.ok(outcome.error.length > 0);
    assert.deepEqual(await fixture.launcher.inspect(record), { kind: "idle" });
  });

  contract("a record without a launch part is refused", async ({ launcher, recordOf }) => {
    const record = { ...recordOf({ kind: "lives" }), launch: undefined };
    assert.equal((await launcher.launch({ record, incarnation: 1 })).kind, "refused");
  });

  contract("a VM that was never launched is idle", async ({ launcher, recordOf }) => {
    assert.deepEqual(await launcher.inspect(recordOf({ kind: "lives" })), { kind: "idle" });
  });

  contract("exitOf tells the code of a program that ended", async (fixture) => {
    const record = fixture.recordOf({ kind: "exits", code: 3 });
    const identity = processOf(await fixture.launcher.launch({ record, incarnation: 1 }));
    await fixture.eventually(async () => (await fixture.table.inspect(identity)).kind === "dead");
    assert.deepEqual(await fixture.launcher.exitOf(record, identity), { code: 3, signal: undefined });
  });

  contract("exitOf tells the signal that ended a program", async (fixture) => {
    const record = fixture.recordOf({ kind: "lives" });
    const identity = processOf(await fixture.launcher.launch({ record, incarnation: 1 }));
    assert.equal((await fixture.table.signal(identity, "SIGKILL")).kind, "sent");
    await fixture.eventually(async () => (await fixture.table.inspect(identity)).kind === "dead");
    assert.deepEqual(await fixture.launcher.exitOf(record, identity), { code: undefined, signal: "SIGKILL" });
  });

  contract("exitOf knows nothing of a process that it did not launch", async ({ launcher, recordOf, table }) => {
    const stranger = { bootId: table.bootId, pid: 2 ** 22, startTicks: 1 };
    assert.equal(await launcher.exitOf(recordOf({ kind: "lives" }), stranger), undefined);
  });
}
