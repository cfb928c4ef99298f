/**
 * What is said of holds and leases, and how often.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReliabilityEvent } from "../../src/domain/event.ts";
import { wallMs } from "../../src/domain/time.ts";
import type { IntentEntry, IntentReading } from "../../src/ports/intent.ts";
import { FirstReadings } from "../../src/recovery/holding.ts";
import { Holdings } from "../../src/reliability/holdings.ts";
import { FakeClock } from "../async/fake_clock.ts";
import { BOOT_ID } from "../recovery/examples.ts";

/** Holdings over files that a test writes. */
class Desk {
  readonly clock = new FakeClock();
  readonly events: ReliabilityEvent[] = [];
  reading: IntentReading = { kind: "read", entries: [] };
  readonly holdings = new Holdings(
    {
      clock: this.clock,
      intent: {
        list: async () => this.reading,
        read: async () => this.reading,
        watch: () => () => undefined,
      },
      processTable: {
        bootId: BOOT_ID,
        scan: async () => ({ kind: "unknown", error: "nobody asks" }),
        describe: async () => undefined,
        inspect: async () => ({ kind: "alive", state: "S", cpuMs: 0 }),
        signal: async () => ({ kind: "gone" }),
        sleepsIn: async () => undefined,
      },
      report: (event) => this.events.push(event),
    },
    new FirstReadings(),
  );

  /** What is said of a VM after the files were read again. */
  async look(...entries: readonly IntentEntry[]): Promise<string> {
    this.reading = { kind: "read", entries };
    return await this.again();
  }

  async again(): Promise<string> {
    const before = this.events.length;
    await this.holdings.refresh();
    this.holdings.say("vm-1", this.holdings.of("vm-1"));
    return this.events
      .slice(before)
      .map(({ type }) => type)
      .join(" ");
  }
}

const HOLD: IntentEntry = {
  kind: "hold",
  vmId: "vm-1",
  reason: "disk swap",
  actor: "anna",
  expiresAt: undefined,
  writtenAt: wallMs(0),
};
const MALFORMED: IntentEntry = { kind: "malformed", vmId: "vm-1", path: "/holds/vm-1.json", error: "no JSON" };

test("a hold and its release are said once each", async () => {
  const desk = new Desk();
  const said = [await desk.look(), await desk.look(HOLD), await desk.again(), await desk.look(), await desk.again()];
  assert.deepEqual(said, ["", "vm_held", "", "vm_released", ""]);
});

test("a hold that stands is said again every hour", async () => {
  const desk = new Desk();
  await desk.look(HOLD);
  desk.clock.advance(3_599_999);
  assert.equal(await desk.again(), "");
  desk.clock.advance(1);
  assert.equal(await desk.again(), "vm_held");
  assert.equal(await desk.again(), "");
});

test("a hold with another reason is said again", async () => {
  const desk = new Desk();
  await desk.look(HOLD);
  assert.equal(await desk.look({ ...HOLD, reason: "upgrade" }), "vm_held");
});

test("a hold of every VM holds each", async () => {
  const desk = new Desk();
  assert.equal(await desk.look({ ...HOLD, vmId: undefined }), "vm_held");
  assert.equal(desk.holdings.of("any other").held, true);
});

test("a file that does not parse holds, and is said once until it changes", async () => {
  const desk = new Desk();
  assert.equal(await desk.look(MALFORMED), "intent_invalid vm_held");
  assert.equal(await desk.again(), "");
  assert.equal(await desk.look({ ...MALFORMED, error: "too long" }), "intent_invalid");
});

test("files that cannot be read stay as they were, and that is said once", async () => {
  const desk = new Desk();
  await desk.look(HOLD);
  desk.reading = { kind: "unreadable", path: "/holds", error: "EACCES" };
  assert.equal(await desk.again(), "intent_invalid");
  assert.equal(await desk.again(), "");
  assert.equal(desk.holdings.of("vm-1").held, true);
});

test("isEmpty is true only when nothing is held and nothing was said that may have to be taken back", async () => {
  const desk = new Desk();
  assert.equal(desk.holdings.isEmpty, true);
  await desk.look(HOLD);
  assert.equal(desk.holdings.isEmpty, false);
  await desk.look();
  assert.equal(desk.holdings.isEmpty, true);
});

test("a hold without effect is said once: of a VM that there is not, or over before it was written", async () => {
  const desk = new Desk();
  const said = async (...entries: readonly IntentEntry[]) => {
    const before = desk.events.length;
    await desk.look(...entries);
    desk.holdings.sayVoid((id) => id === "vm-1");
    return desk.events.slice(before).filter(({ type }) => type === "hold_void").length;
  };
  const typo: IntentEntry = { ...HOLD, vmId: "vm-l" };
  const expired: IntentEntry = { ...HOLD, writtenAt: wallMs(2_000), expiresAt: wallMs(1_000) };
  assert.equal(await said(HOLD), 0);
  assert.equal(await said(HOLD, typo), 1);
  assert.equal(await said(HOLD, typo), 0);
  assert.equal(await said(HOLD, typo, expired), 1);
  assert.equal(await said(typo, expired), 0);
  assert.equal(await said({ ...HOLD, vmId: undefined }, MALFORMED), 0);
  // What was removed and is written again is said again.
  assert.equal(await said(typo), 1);
  // One that ended as it was meant to lies about, and nobody means anything by it any more.
  desk.clock.advance(3_600_000);
  const over: IntentEntry = { ...typo, expiresAt: wallMs(desk.clock.wall() - 1) };
  assert.equal(await said(over), 0);
});
