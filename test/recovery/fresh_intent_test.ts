/**
 * What is read immediately before an act, and when it forbids the act.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { wallMs } from "../../src/domain/time.ts";
import type { VmRecord } from "../../src/domain/vm_record.ts";
import type { IntentReading, Lease } from "../../src/ports/intent.ts";
import type { Inspection } from "../../src/ports/process_table.ts";
import type { Registry } from "../../src/ports/registry.ts";
import { readFreshIntent } from "../../src/recovery/fresh_intent.ts";
import { FirstReadings } from "../../src/recovery/holding.ts";
import { FakeClock } from "../async/fake_clock.ts";
import { BOOT_ID, identityOf, recordOf } from "./examples.ts";

const CLOCK = new FakeClock();

interface Disk {
  readonly record?: Awaited<ReturnType<Registry["read"]>>;
  readonly intent?: IntentReading;
  readonly holder?: Inspection;
}

const LAST_GOOD = recordOf({ contentHash: "last-good" });

function written(change: Partial<VmRecord> = {}): NonNullable<Disk["record"]> {
  return { kind: "record", id: "vm-1", record: recordOf(change), source: "" };
}

function leaseOf(change: Partial<Lease> = {}): Lease {
  const expiresAt = wallMs(CLOCK.wall() + 60_000);
  return { kind: "lease", vmId: "vm-1", op: "snapshot", expiresAt, holder: undefined, fingerprint: "f", ...change };
}

async function ask(disk: Disk, desired: "running" | "stopped" = "running"): Promise<string> {
  const order: string[] = [];
  const intent = await readFreshIntent(
    {
      clock: CLOCK,
      registry: {
        path: "/vms",
        list: async () => ({ kind: "listed", entries: [] }),
        read: async () => {
          order.push("record");
          return disk.record ?? written();
        },
        watch: () => () => undefined,
      },
      intent: {
        list: async () => ({ kind: "read", entries: [] }),
        read: async () => {
          order.push("intent");
          return disk.intent ?? { kind: "read", entries: [] };
        },
        watch: () => () => undefined,
      },
      processTable: {
        bootId: BOOT_ID,
        scan: async () => ({ kind: "unknown", error: "nobody asks" }),
        describe: async () => undefined,
        inspect: async () => disk.holder ?? { kind: "alive", state: "S", cpuMs: 0 },
        signal: async () => ({ kind: "gone" }),
        sleepsIn: async () => undefined,
      },
    },
    "vm-1",
    LAST_GOOD,
    desired,
    new FirstReadings(),
  );
  if (order.includes("record"))
    assert.equal(order.at(-1), "record", "nothing is awaited between the record and the act");
  return intent.kind === "go" ? `go ${intent.record.contentHash}` : `no: ${intent.detail}`;
}

const CASES: readonly (readonly [why: string, disk: Disk, answer: string])[] = [
  ["a record that says running", {}, "go content-1"],
  ["a record that says stopped", { record: written({ desired: "stopped" }) }, "no: its record says stopped"],
  ["a record that says paused", { record: written({ desired: "paused" }) }, "no: its record says paused"],
  ["a record that is gone", { record: { kind: "absent" } }, "no: its record is gone"],
  [
    "a registry that cannot be read",
    { record: { kind: "unreadable", path: "/vms", error: "EIO" } },
    "no: cannot read /vms: EIO",
  ],
  [
    "a record that does not parse leaves the last good one in force",
    { record: { kind: "invalid", id: "vm-1", path: "/vms/vm-1.json", error: "no JSON" } },
    "go last-good",
  ],
  [
    "holds that cannot be read",
    { intent: { kind: "unreadable", path: "/holds", error: "EACCES" } },
    "no: cannot read /holds: EACCES",
  ],
  [
    "a hold",
    {
      intent: {
        kind: "read",
        entries: [
          {
            kind: "hold",
            vmId: undefined,
            reason: "upgrade",
            actor: "anna",
            expiresAt: undefined,
            writtenAt: wallMs(0),
          },
        ],
      },
    },
    "no: held: upgrade",
  ],
  ["a lease", { intent: { kind: "read", entries: [leaseOf()] } }, "no: held: snapshot"],
  [
    "a lease whose holder is gone",
    { intent: { kind: "read", entries: [leaseOf({ holder: identityOf(7) })] }, holder: { kind: "dead" } },
    "go content-1",
  ],
  [
    "a lease whose holder cannot be looked at still holds",
    {
      intent: { kind: "read", entries: [leaseOf({ holder: identityOf(7) })] },
      holder: { kind: "unknown", error: "EMFILE" },
    },
    "no: held: snapshot",
  ],
  [
    "a hold that does not parse",
    { intent: { kind: "read", entries: [{ kind: "malformed", vmId: "vm-1", path: "/holds/vm-1.json", error: "?" }] } },
    "no: held: cannot read /holds/vm-1.json",
  ],
];

for (const [why, disk, answer] of CASES) {
  test(`readFreshIntent(): ${why} -> ${answer}`, async () => {
    assert.equal(await ask(disk), answer);
  });
}

test("readFreshIntent() for a stop wants a record that says stopped", async () => {
  assert.equal(await ask({ record: written({ desired: "stopped" }) }, "stopped"), "go content-1");
  assert.equal(await ask({}, "stopped"), "no: its record says running");
});
