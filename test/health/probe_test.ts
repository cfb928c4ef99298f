/**
 * One probe: what is asked, in which order its answers count, and what says nothing.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep } from "../../src/async/deadline.ts";
import type { ProbeResult } from "../../src/domain/probe_result.ts";
import type { ProbeSubject } from "../../src/health/probe.ts";
import { probe } from "../../src/health/probe.ts";
import type { GuestProbeResult } from "../../src/ports/guest_probe.ts";
import type { Inspection } from "../../src/ports/process_table.ts";
import type { VmmAnswer } from "../../src/ports/vmm.ts";
import { FakeClock } from "../async/fake_clock.ts";
import { BOOT_ID, identityOf } from "../recovery/examples.ts";

const ALIVE: Inspection = { kind: "alive", state: "S", cpuMs: 0 };
const DEAD: Inspection = { kind: "dead" };
const ZOMBIE: Inspection = { kind: "zombie_leader", liveTasks: 2 };
const SILENT: VmmAnswer = { kind: "silent", error: "ECONNREFUSED" };
const REFUSED: GuestProbeResult = { kind: "failure", error: "tcp refused" };

function says(guest: "running" | "paused" | "not_started", change: { id?: string; pid?: number } = {}): VmmAnswer {
  return { kind: "state", guest, raw: guest, id: change.id, pid: change.pid };
}

interface World {
  /** What looks at the process show, one after the other; the last stays. */
  readonly looks?: readonly Inspection[];
  readonly answer?: VmmAnswer;
  readonly guest?: GuestProbeResult;
  /** How long the API takes. */
  readonly answersAfterMs?: number;
}

/** Probes a Firecracker with a tcp guest probe, unless told otherwise. */
async function probeIn(world: World, change: Partial<ProbeSubject> = {}) {
  const clock = new FakeClock();
  const asked: string[] = [];
  let looks = 0;
  const { answersAfterMs = 0 } = world;
  const running = probe(
    {
      clock,
      processTable: {
        bootId: BOOT_ID,
        scan: async () => ({ kind: "unknown", error: "nobody asks" }),
        describe: async () => undefined,
        inspect: async () => {
          const all = world.looks ?? [ALIVE];
          const look = all[Math.min(looks, all.length - 1)] ?? ALIVE;
          looks += 1;
          return look;
        },
        signal: async () => ({ kind: "gone" }),
        sleepsIn: async () => undefined,
      },
      vmm: {
        query: async ({ socket }) => {
          asked.push(`api ${socket}`);
          if (answersAfterMs > 0) await sleep(clock, answersAfterMs);
          return world.answer ?? says("running");
        },
        shutdown: async () => ({ kind: "not_asked", error: "" }),
        socketState: async () => "missing",
      },
      guestProbe: {
        tcp: async ({ host, port }) => {
          asked.push(`tcp ${host}:${port}`);
          return world.guest ?? { kind: "success" };
        },
      },
    },
    {
      id: "vm-1",
      process: identityOf(7),
      runsWith: { vmm: "firecracker", socket: "/run/a.sock", launchHash: "launch-1" },
      guest: { tcp: { host: "10.0.0.2", port: 22 } },
      asksApi: true,
      timeoutMs: 5_000,
      ...change,
    },
  );
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  clock.advance(answersAfterMs);
  const { result, durationMs } = await running;
  return { result, durationMs, asked };
}

const FAILED = { kind: "failure", processState: "S" } as const;

const CASES: readonly (readonly [why: string, world: World, result: ProbeResult])[] = [
  ["everything answers", {}, { kind: "success" }],
  ["a dead process is proof, whatever answers at its socket", { looks: [DEAD] }, { kind: "dead" }],
  ["a zombie leader is told apart", { looks: [ZOMBIE] }, ZOMBIE],
  [
    "a process that cannot be looked at says nothing",
    { looks: [{ kind: "unknown", error: "EMFILE" }] },
    { kind: "unknown", layer: "process", error: "EMFILE" },
  ],
  [
    "a silent API",
    { answer: SILENT },
    { ...FAILED, layer: "socket", error: "ECONNREFUSED", apiSilent: true, failedGuestProbes: [] },
  ],
  [
    "a silent API and a failing guest: both are told, as only together they permit force",
    { answer: SILENT, guest: REFUSED },
    { ...FAILED, layer: "socket", error: "ECONNREFUSED", apiSilent: true, failedGuestProbes: ["tcp"] },
  ],
  [
    "an API that answers wrongly is not silent",
    { answer: { kind: "wrong", error: "HTTP 500" }, guest: REFUSED },
    { ...FAILED, layer: "api", error: "HTTP 500", apiSilent: false, failedGuestProbes: ["tcp"] },
  ],
  [
    "a failing guest behind a good API",
    { guest: REFUSED },
    { ...FAILED, layer: "guest", error: "tcp refused", apiSilent: false, failedGuestProbes: ["tcp"] },
  ],
  [
    "an API that could not be asked says nothing, whatever the guest probe says",
    { answer: { kind: "unknown", error: "EACCES" }, guest: REFUSED },
    { kind: "unknown", layer: "api", error: "EACCES" },
  ],
  [
    "a guest probe that could not run says nothing",
    { guest: { kind: "unknown", error: "EMFILE" } },
    { kind: "unknown", layer: "guest", error: "EMFILE" },
  ],
  [
    "a paused guest does not answer, and that is no failure",
    { answer: says("paused"), guest: REFUSED },
    { kind: "guest", state: "paused", raw: "paused" },
  ],
  [
    "an empty VMM says so",
    { answer: says("not_started") },
    { kind: "guest", state: "not_started", raw: "not_started" },
  ],
  ["the VM's own id and pid are right", { answer: says("running", { id: "vm-1", pid: 7 }) }, { kind: "success" }],
  [
    "Firecracker's anonymous-instance can be anybody",
    { answer: says("running", { id: "anonymous-instance" }) },
    { kind: "success" },
  ],
  [
    "another id is suspicion, even if its guest is empty",
    { answer: says("not_started", { id: "vm-2" }) },
    {
      ...FAILED,
      layer: "api",
      error: 'identity: the VMM says its id is "vm-2"',
      apiSilent: false,
      failedGuestProbes: [],
    },
  ],
  [
    "another pid is suspicion",
    { answer: says("running", { pid: 8 }) },
    {
      ...FAILED,
      layer: "api",
      error: "identity: the VMM says its pid is 8, the VM's is 7",
      apiSilent: false,
      failedGuestProbes: [],
    },
  ],
  [
    "a process that died under the probe is proof, not suspicion",
    { looks: [ALIVE, DEAD], answer: SILENT },
    { kind: "dead" },
  ],
  ["a leader that ended under the probe is told apart", { looks: [ALIVE, ZOMBIE], answer: SILENT }, ZOMBIE],
  [
    "the state of the process is told with a failure",
    { looks: [{ kind: "alive", state: "D", cpuMs: 0 }], answer: SILENT },
    {
      kind: "failure",
      processState: "D",
      layer: "socket",
      error: "ECONNREFUSED",
      apiSilent: true,
      failedGuestProbes: [],
    },
  ],
];

for (const [why, world, expected] of CASES) {
  test(`probe(): ${why}`, async () => {
    assert.deepEqual((await probeIn(world)).result, expected);
  });
}

test("probe() asks what the VM was started with, and its guest", async () => {
  assert.deepEqual((await probeIn({})).asked, ["api /run/a.sock", "tcp 10.0.0.2:22"]);
});

test("probe() of a process VM asks its guest only, if it has one", async () => {
  const runsWith = { vmm: "process", socket: undefined, launchHash: "launch-1" } as const;
  assert.deepEqual((await probeIn({}, { runsWith })).asked, ["tcp 10.0.0.2:22"]);
  const alone = await probeIn({}, { runsWith, guest: {} });
  assert.deepEqual(alone.asked, []);
  assert.deepEqual(alone.result, { kind: "success" });
});

test("probe() looks at the process alone where health checks are disabled", async () => {
  const { result, asked } = await probeIn({ answer: SILENT }, { asksApi: false });
  assert.deepEqual(result, { kind: "success" });
  assert.deepEqual(asked, []);
});

test("a failure that comes long after the deadline tells of our own lateness, not of the VM", async () => {
  const late = await probeIn({ answer: SILENT, answersAfterMs: 5_501 });
  assert.deepEqual(late.result, { kind: "unknown", layer: "socket", error: "the event loop was 501 ms late" });
  assert.equal(late.durationMs, 5_501);
  const inTime = await probeIn({ answer: SILENT, answersAfterMs: 5_500 });
  assert.equal(inTime.result.kind, "failure");
});

test("a success that comes late is a success", async () => {
  assert.equal((await probeIn({ answersAfterMs: 60_000 })).result.kind, "success");
});
