/**
 * What every process table promises, real or simulated.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type ProcessFacts, type ProcessIdentity, sameProcess } from "../../src/domain/process.ts";
import type { ProcessTable } from "../../src/ports/process_table.ts";

/** How a launch marks the processes of a VM. */
export interface VmMarks {
  readonly vmId: string;
  readonly launchHash: string;
  readonly incarnation: number;
}

export interface ProcessTableFixture {
  readonly table: ProcessTable;
  /** Starts a process with these marks that lives until it is ended. */
  start(marks: VmMarks): Promise<ProcessIdentity>;
  /** Ends a process; resolves when the host shows it no longer, or as a zombie. */
  end(identity: ProcessIdentity): Promise<void>;
  /** Starts a process whose first task ends while another lives on. Absent where the host cannot. */
  startZombieLeader?(marks: VmMarks): Promise<ProcessIdentity>;
  /** Lets time pass until the condition holds; fails when it does not within a few seconds. */
  eventually(condition: () => Promise<boolean>): Promise<void>;
  /** Ends every process of the fixture. */
  dispose(): Promise<void>;
}

const MARKS: VmMarks = { vmId: "vm-contract", launchHash: "0123abcd", incarnation: 7 };

export function processTableContract(name: string, makeFixture: () => Promise<ProcessTableFixture>): void {
  const contract = (rule: string, check: (fixture: ProcessTableFixture) => Promise<void>) =>
    test(`${name}: ${rule}`, async () => {
      const fixture = await makeFixture();
      try {
        await check(fixture);
      } finally {
        await fixture.dispose();
      }
    });

  contract("scan shows a process that began before it, with its marks", async ({ table, start }) => {
    const identity = await start(MARKS);
    const facts = await findInScan(table, identity);
    assert.ok(facts !== undefined);
    assert.equal(facts.vmId, MARKS.vmId);
    assert.equal(facts.launchHash, MARKS.launchHash);
    assert.equal(facts.incarnation, MARKS.incarnation);
    assert.ok(facts.liveTasks >= 1);
    assert.ok(facts.ageMs >= 0);
  });

  contract("scan leaves the dead out, zombies among them", async ({ table, start, end }) => {
    const identity = await start(MARKS);
    await end(identity);
    assert.equal(await findInScan(table, identity), undefined);
  });

  contract("describe gives the facts that a scan gives", async ({ table, start }) => {
    const identity = await start(MARKS);
    const scanned = await findInScan(table, identity);
    const described = await table.describe(identity);
    assert.ok(scanned !== undefined && described !== undefined);
    const lasting = ({ ageMs: _ageMs, state: _state, ...facts }: ProcessFacts) => facts;
    assert.deepEqual(lasting(described), lasting(scanned));
  });

  contract("describe knows nothing of the dead, nor of a pid that another process has now", async (fixture) => {
    const { table, start, end } = fixture;
    const identity = await start(MARKS);
    assert.equal(await table.describe(predecessorOf(identity)), undefined);
    assert.equal(await table.describe(ofAnotherBoot(identity)), undefined);
    await end(identity);
    assert.equal(await table.describe(identity), undefined);
  });

  contract("inspect tells the living from the dead", async ({ table, start, end }) => {
    const identity = await start(MARKS);
    assert.equal((await table.inspect(identity)).kind, "alive");
    await end(identity);
    assert.deepEqual(await table.inspect(identity), { kind: "dead" });
  });

  contract("inspect takes a reused pid, or one of another boot, for dead", async ({ table, start }) => {
    const identity = await start(MARKS);
    assert.deepEqual(await table.inspect(predecessorOf(identity)), { kind: "dead" });
    assert.deepEqual(await table.inspect(ofAnotherBoot(identity)), { kind: "dead" });
  });

  contract("signal ends the process that it names", async ({ table, start, eventually }) => {
    const identity = await start(MARKS);
    const other = await start(MARKS);
    assert.deepEqual(await table.signal(identity, "SIGKILL"), { kind: "sent" });
    await eventually(async () => (await table.inspect(identity)).kind === "dead");
    assert.equal((await table.inspect(other)).kind, "alive");
  });

  contract("signal never hits the process that has taken over a pid", async ({ table, start }) => {
    const identity = await start(MARKS);
    assert.deepEqual(await table.signal(predecessorOf(identity), "SIGKILL"), { kind: "gone" });
    assert.deepEqual(await table.signal(ofAnotherBoot(identity), "SIGKILL"), { kind: "gone" });
    assert.equal((await table.inspect(identity)).kind, "alive");
  });

  contract("signal to the dead says that they are gone", async ({ table, start, end }) => {
    const identity = await start(MARKS);
    await end(identity);
    assert.deepEqual(await table.signal(identity, "SIGTERM"), { kind: "gone" });
  });

  contract("a zombie leader with living tasks is not dead, and keeps its marks", async (fixture) => {
    const identity = await fixture.startZombieLeader?.(MARKS);
    if (identity === undefined) return;
    const inspection = await fixture.table.inspect(identity);
    assert.equal(inspection.kind, "zombie_leader");
    assert.ok(inspection.kind === "zombie_leader" && inspection.liveTasks >= 1);
    const facts = await findInScan(fixture.table, identity);
    assert.equal(facts?.vmId, MARKS.vmId);
    assert.equal(facts?.state, "Z");
    assert.ok(facts !== undefined && facts.liveTasks >= 1);
  });
}

async function findInScan(table: ProcessTable, identity: ProcessIdentity): Promise<ProcessFacts | undefined> {
  const scan = await table.scan();
  assert.equal(scan.kind, "scanned", JSON.stringify(scan));
  return scan.kind === "scanned" ? scan.processes.find((each) => sameProcess(each.identity, identity)) : undefined;
}

/** The process that had the pid before. */
function predecessorOf(identity: ProcessIdentity): ProcessIdentity {
  return { ...identity, startTicks: identity.startTicks - 1 };
}

function ofAnotherBoot(identity: ProcessIdentity): ProcessIdentity {
  return { ...identity, bootId: "00000000-0000-4000-8000-000000000000" };
}
