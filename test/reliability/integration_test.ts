/**
 * The loop on a quiet host: what wakes it, and that nothing is lost.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { runReliability } from "../../src/reliability/integration.ts";
import { recordOf } from "../recovery/examples.ts";
import { withAgent } from "./agent_on.ts";
import { POLICY, QuietHost } from "./quiet_host.ts";

test("what runs is adopted and not touched, and what does not run is started", async () => {
  const host = new QuietHost();
  host.write(recordOf({ id: "a" }));
  host.write(recordOf({ id: "b" }));
  host.run(recordOf({ id: "a" }));
  await withAgent(host, async () => {
    await host.pass(10_000);
    assert.deepEqual(host.launched, ["b"]);
    assert.equal(host.said("vm_adopted").length, 1);
    assert.equal(host.said("vm_started").length, 1);
    assert.deepEqual(host.signals, []);
  });
});

test("a process that dies is noticed at once by its event, and started once", async () => {
  const host = new QuietHost();
  host.write(recordOf({ id: "a" }));
  const facts = host.run(recordOf({ id: "a" }));
  await withAgent(host, async () => {
    await host.pass(10_000);
    host.kill(facts);
    await host.pass(100);
    assert.equal(host.said("orphan_detected").length, 1);
    await host.pass(5_000);
    assert.deepEqual(host.launched, ["a"]);
    assert.equal(host.said("recovery_successful").length, 1);
  });
});

test("an event that was lost is repaired by the sweep, long before the next probe", async () => {
  const host = new QuietHost();
  host.write(recordOf({ id: "a" }));
  host.run(recordOf({ id: "a" }));
  const seldom = { ...POLICY, health: { ...POLICY.health, intervalMs: 36_000_000 } };
  await withAgent(
    host,
    async () => {
      await host.pass(10_000);
      host.processes.length = 0;
      await host.pass(61_000);
      assert.equal(host.said("orphan_detected").length, 1);
      assert.deepEqual(host.launched, ["a"]);
    },
    seldom,
  );
});

test("a hint is read soon, and many that come together are one listing", async () => {
  const host = new QuietHost();
  await withAgent(host, async () => {
    host.reads.length = 0;
    host.write(recordOf({ id: "a" }));
    host.hint("a");
    await host.pass(100);
    assert.equal(host.reads[0], "a");
    assert.equal(host.said("vm_created").length, 1);
    host.reads.length = 0;
    for (let index = 0; index < 100; index += 1) {
      host.write(recordOf({ id: `b-${index}` }));
      host.hint(`b-${index}`);
    }
    await host.pass(200);
    assert.equal(host.said("vm_created").length, 101);
    assert.equal(host.reads.filter((read) => read === "*").length, 1);
  });
});

test("a VM that is held is not started, and is once it is released", async () => {
  const host = new QuietHost();
  host.write(recordOf({ id: "a" }));
  const hold = { vmId: "a", reason: "disk swap", actor: "anna", expiresAt: undefined, writtenAt: host.clock.wall() };
  host.intents.push({ kind: "hold", ...hold });
  await withAgent(host, async () => {
    await host.pass(120_000, 500);
    assert.deepEqual(host.launched, []);
    assert.equal(host.said("vm_held").length, 1);
    host.intents.length = 0;
    host.holdHint();
    await host.pass(5_000);
    assert.deepEqual(host.launched, ["a"]);
    assert.equal(host.said("vm_released").length, 1);
  });
});

test("nothing is started while the host shuts down", async () => {
  const host = new QuietHost();
  host.isShuttingDown = true;
  host.write(recordOf({ id: "a" }));
  await withAgent(host, async () => {
    await host.pass(30_000, 500);
    assert.deepEqual(host.launched, []);
  });
});

test("a record that says stopped when it is read afresh is not started, though no hint came", async () => {
  const host = new QuietHost();
  host.write(recordOf({ id: "a" }));
  const facts = host.run(recordOf({ id: "a" }));
  await withAgent(host, async () => {
    await host.pass(10_000);
    host.write(recordOf({ id: "a", desired: "stopped", contentHash: "content-2" }));
    host.kill(facts);
    await host.pass(10_000);
    assert.deepEqual(host.launched, []);
  });
});

test("a record that is gone when it is read afresh is not started", async () => {
  const host = new QuietHost();
  host.write(recordOf({ id: "a" }));
  const facts = host.run(recordOf({ id: "a" }));
  await withAgent(host, async () => {
    await host.pass(10_000);
    host.records.clear();
    host.kill(facts);
    await host.pass(10_000);
    assert.deepEqual(host.launched, []);
    host.hint("a");
    await host.pass(1_000);
    assert.equal(host.said("vm_deleted").length, 1);
  });
});

test("many VMs that died together are all started, a few at a time", async () => {
  const host = new QuietHost();
  const ids = Array.from({ length: 20 }, (_, index) => `guest-${index}`);
  for (const id of ids) host.write(recordOf({ id }));
  const running = ids.map((id) => host.run(recordOf({ id })));
  await withAgent(host, async () => {
    await host.pass(35_000, 100);
    for (const facts of running) host.kill(facts);
    await host.pass(100);
    assert.equal(host.said("orphan_detected").length, 20);
    await host.pass(20_000);
    assert.deepEqual([...host.launched].sort(), [...ids].sort());
    assert.equal(host.said("recovery_successful").length, 20);
  });
});

test("a stop of the agent leaves every VM as it is, and is remembered as clean", async () => {
  const host = new QuietHost();
  host.write(recordOf({ id: "a" }));
  host.run(recordOf({ id: "a" }));
  await withAgent(host, async () => {
    await host.pass(1_000);
  });
  assert.equal(host.processes.length, 1);
  assert.deepEqual(host.signals, []);
  assert.equal(host.store.host?.cleanStop, true);
});

test("a process that dies while it is being looked at is looked at again, and not only by the next sweep", async () => {
  const host = new QuietHost();
  host.write(recordOf({ id: "a" }));
  const facts = host.run(recordOf({ id: "a" }));
  const seldom = { ...POLICY, health: { ...POLICY.health, intervalMs: 36_000_000 } };
  await withAgent(
    host,
    async () => {
      await host.pass(10_000);
      // A wrong alarm, while which the process really dies.
      host.duringInspection = () => {
        host.duringInspection = () => undefined;
        host.kill(facts);
      };
      host.alarm(facts);
      await host.pass(1_000);
      assert.equal(host.said("orphan_detected").length, 1);
    },
    seldom,
  );
});

test("a VM to be started once is not announced where nobody can write down that it was", async () => {
  const host = new QuietHost();
  host.store.isDurableBroken = true;
  host.write(recordOf({ id: "a", restart: "never" }));
  await withAgent(host, async () => {
    await host.pass(60_000);
    assert.deepEqual(host.launched, []);
    assert.equal(host.said("attempt_failed").length, 0);
    const [blocked, ...more] = host.said("recovery_blocked");
    assert.equal(blocked?.type === "recovery_blocked" && blocked.reason, "state_unwritable");
    assert.deepEqual(more, []);
    host.store.isDurableBroken = false;
    await host.pass(30_000);
    assert.deepEqual(host.launched, ["a"]);
  });
});

test("a disk stays claimed for a while by a VM that was called well before it may have opened it", async () => {
  const host = new QuietHost();
  const disks = [{ path: "/srv/a.raw", shared: false }];
  host.write(recordOf({ id: "a", disks }));
  await withAgent(host, async () => {
    await host.pass(2_000);
    assert.equal(host.said("vm_started").length, 1);
    host.write(recordOf({ id: "b", disks }));
    host.hint("b");
    await host.pass(2_000);
    assert.deepEqual(host.launched, ["a"]);
    assert.equal(host.said("recovery_blocked").length, 1);
  });
});

test("a process table that cannot be read is said once per reason, and nothing is started until it can be", async () => {
  const host = new QuietHost();
  host.write(recordOf({ id: "a" }));
  host.unreadable = "process 1 is not in it";
  await withAgent(host, async () => {
    await host.pass(60_000);
    assert.equal(host.said("process_table_unreadable").length, 1);
    assert.deepEqual(host.launched, []);
    host.unreadable = undefined;
    await host.pass(10_000);
    assert.deepEqual(host.launched, ["a"]);
    assert.equal(host.said("process_table_readable_again").length, 1);
    host.unreadable = "process 1 is not in it";
    await host.pass(120_000);
    assert.equal(host.said("process_table_unreadable").length, 2);
  });
});

test("of many VMs that die together those of the highest priority are started first, whoever died first", async () => {
  const host = new QuietHost();
  const ids = Array.from({ length: 20 }, (_, index) => `guest-${index}`);
  const records = ids.map((id, priority) => recordOf({ id, priority, socket: `/run/vms/${id}.sock` }));
  for (const record of records) host.write(record);
  const running = records.map((record) => host.run(record));
  const policy = { ...POLICY, recovery: { ...POLICY.recovery, maxConcurrentRecoveries: 2 } };
  await withAgent(
    host,
    async () => {
      await host.pass(10_000);
      for (const facts of running) host.kill(facts);
      await host.pass(10_000);
      assert.deepEqual(host.launched, [...ids].reverse());
    },
    policy,
  );
});

test("a record that is changed to claim another VM's socket lets nothing be done, even before the registry is read", async () => {
  const host = new QuietHost();
  host.write(recordOf({ id: "a" }));
  host.write(recordOf({ id: "b" }));
  const facts = host.run(recordOf({ id: "a" }));
  host.run(recordOf({ id: "b" }));
  await withAgent(host, async () => {
    await host.pass(1_000);
    // No hint comes, and a dies.
    host.write(recordOf({ id: "a", socket: "/run/vms/b.sock", contentHash: "other", launchHash: "other" }));
    host.kill(facts);
    await host.pass(20_000);
    assert.deepEqual(host.launched, []);
    host.hint("a");
    await host.pass(1_000);
    assert.equal(host.said("record_invalid").length, 1);
    assert.deepEqual(host.signals, []);
  });
});

test("a VM whose program has cleared the marks is told of, once per start, since nobody may know it again", async () => {
  for (const clearsMarks of [true, false]) {
    const host = new QuietHost();
    host.clearsMarks = clearsMarks;
    host.write(recordOf({ id: "a" }));
    await withAgent(host, async () => {
      await host.pass(120_000);
      assert.equal(host.said("vm_started").length, 1);
      assert.equal(host.said("vm_unmarked").length, clearsMarks ? 1 : 0);
    });
  }
});

test("an agent whose lock was taken away does nothing any more and ends, as another may have it", async () => {
  const host = new QuietHost();
  host.write(recordOf({ id: "a" }));
  const facts = host.run(recordOf({ id: "a" }));
  const running = runReliability(host.dependencies, POLICY, new AbortController().signal);
  await host.pass(1_000);
  host.isLockHeld = false;
  host.kill(facts);
  await host.pass(5_000);
  assert.deepEqual(host.launched, []);
  const ended = await running;
  assert.equal(ended.kind, "lock_unavailable");
  assert.equal(host.store.host, undefined, "what is on disk is the other one's");
});

test("the status tells of refused records and of holds of no VM, as soon as they are there, and when they are gone", async () => {
  const host = new QuietHost();
  host.write(recordOf({ id: "a" }));
  host.run(recordOf({ id: "a" }));
  await withAgent(host, async () => {
    await host.pass(2_000);
    assert.deepEqual([host.status?.refusedRecords.count, host.status?.unmatchedHolds.count], [0, 0]);
    host.records.set("b", { kind: "invalid", id: "b", path: "/v/b.json", error: "no JSON" });
    host.hint("b");
    const hold = { reason: "moving", actor: "me", expiresAt: undefined, writtenAt: host.clock.wall() };
    host.intents.push({ kind: "hold", vmId: "customer", ...hold });
    host.holdHint();
    await host.pass(2_000);
    const refused = { id: "b", path: "/v/b.json", error: "no JSON" };
    assert.deepEqual(host.status?.refusedRecords, { count: 1, first: [refused] });
    assert.deepEqual(host.status?.unmatchedHolds, { count: 1, first: [{ vmId: "customer", reason: "moving" }] });
    host.records.delete("b");
    host.hint(undefined);
    host.intents.length = 0;
    host.holdHint();
    await host.pass(2_000);
    assert.deepEqual([host.status?.refusedRecords.count, host.status?.unmatchedHolds.count], [0, 0]);
  });
});

test("that the registry cannot be believed any more is shown at once, and a hold of no VM is told", async () => {
  const host = new QuietHost();
  for (const id of ["a", "b"]) {
    host.write(recordOf({ id }));
    host.run(recordOf({ id }));
  }
  await withAgent(host, async () => {
    await host.pass(2_000);
    host.records.clear();
    host.hint(undefined);
    await host.pass(2_000);
    assert.match(host.status?.registryUnreadable ?? "", /are gone at once/);
    host.write(recordOf({ id: "a" }));
    host.write(recordOf({ id: "b" }));
    host.hint(undefined);
    await host.pass(2_000);
    assert.equal(host.status?.registryUnreadable, undefined);
    const hold = { kind: "hold", reason: "", actor: "", expiresAt: undefined, writtenAt: host.clock.wall() } as const;
    host.intents.push({ ...hold, vmId: "typo" }, { ...hold, vmId: "a" });
    host.holdHint();
    await host.pass(2_000);
    assert.equal(host.said("hold_void").length, 1);
    assert.equal(host.said("vm_held").length, 1);
  });
});
