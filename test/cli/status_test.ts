/**
 * `metald status`: the text as a whole, and how it ends.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Output } from "../../src/cli/output.ts";
import { type StatusOptions, type StatusSource, showStatus } from "../../src/cli/status.ts";
import { statusText } from "../../src/cli/status_text.ts";
import type { ProcessIdentity } from "../../src/domain/process.ts";
import { wallMs } from "../../src/domain/time.ts";
import type { HostStatus, VmStatus } from "../../src/ports/status_board.ts";

const NOW = 1_700_000_000_000;
const AGENT: ProcessIdentity = { bootId: "boot", pid: 71, startTicks: 900 };

function vm(id: string, more: Partial<VmStatus> = {}): VmStatus {
  return {
    id,
    desired: "running",
    phase: "healthy",
    vmm: "qemu",
    process: { bootId: "boot", pid: 102, startTicks: 4711 },
    since: wallMs(NOW - 3 * 3_600_000 - 5 * 60_000),
    held: false,
    heldBecause: undefined,
    consecutiveFailures: 0,
    attempts: 0,
    nextAttemptAt: undefined,
    blockedReason: undefined,
    why: undefined,
    ...more,
  };
}

function host(vms: readonly VmStatus[], more: Partial<HostStatus> = {}): HostStatus {
  return {
    version: "1.2.3",
    launcher: "systemd",
    at: wallMs(NOW - 2_000),
    enabled: true,
    registryUnreadable: undefined,
    brakeEngaged: false,
    refusedRecords: { count: 0, first: [] },
    unmatchedHolds: { count: 0, first: [] },
    vms,
    ...more,
  };
}

const TROUBLED = [
  vm("vm-1"),
  vm("vm-22", {
    phase: "backing_off",
    process: undefined,
    since: wallMs(NOW - 12_000),
    attempts: 3,
    nextAttemptAt: wallMs(NOW + 20_000),
    why: "the process ended\nwith code 1",
  }),
  vm("vm-3", {
    phase: "blocked",
    consecutiveFailures: 4,
    since: wallMs(NOW - 50 * 3_600_000),
    held: true,
    heldBecause: "moving house",
    blockedReason: "data_loss_not_allowed",
    why: "guest probe failed",
  }),
  vm("vm-4", { desired: "stopped", phase: "stopped", process: undefined, since: wallMs(NOW - 60_000) }),
];

test("statusText is a line about the agent, what is wrong, and a line for each VM", () => {
  const text = statusText({ status: host(TROUBLED), agent: AGENT, condition: "running", now: NOW });
  assert.equal(
    text,
    [
      "metald 1.2.3 (systemd launcher, pid 71): 4 VMs, 1 backing_off, 1 blocked, 1 healthy, 1 stopped, 1 held, 2s ago",
      "",
      "VM     DESIRED  STATE           PROCESS        SINCE  MISSES  ATTEMPTS  NEXT    WHY",
      "vm-1   running  healthy         qemu-102-4711  3h5m   0       0         -       -",
      "vm-22  running  backing_off     -              12s    0       3         in 20s  the process ended with code 1",
      "vm-3   running  blocked (held)  qemu-102-4711  2d2h   4       0         -       " +
        "data_loss_not_allowed; guest probe failed; held: moving house",
      "vm-4   stopped  stopped         -              1m     0       0         -       -",
      "",
    ].join("\n"),
  );
});

test("statusText says what is wrong with the whole", () => {
  const status = host([], { enabled: false, registryUnreadable: "/v: EIO", brakeEngaged: true });
  const lines = (condition: "running" | "silent" | "ended") =>
    statusText({ status, agent: undefined, condition, now: NOW })
      .split("\n")
      .filter((line) => line.startsWith("!"));
  const common = [
    "! disabled by its configuration: it looks at nothing and does nothing",
    "! registry unreadable: /v: EIO",
    "! mass failure brake engaged: nothing is ended by force",
  ];
  assert.deepEqual(lines("running"), common);
  assert.deepEqual(lines("silent"), ["! the agent runs and has not said anything since; it may hang", ...common]);
  assert.deepEqual(lines("ended"), ["! the agent is not running; this is what it knew last", ...common]);
});

test("statusText names refused records and holds of no VM, the first of many", () => {
  const first = Array.from({ length: 100 }, (_, n) => ({ id: `vm-${n}`, path: `/v/vm-${n}.json`, error: "no JSON" }));
  const status = host([vm("vm-1")], {
    refusedRecords: { count: 300, first },
    unmatchedHolds: { count: 1, first: [{ vmId: "customer", reason: "moving" }] },
  });
  const lines = statusText({ status, agent: undefined, condition: "running", now: NOW }).split("\n");
  const told = lines.filter((line) => line.startsWith("! "));
  assert.equal(told.length, 22);
  assert.equal(told[0], "! record refused: /v/vm-0.json: no JSON");
  assert.equal(told[20], "! and 280 more like the last one");
  assert.equal(told[21], "! hold of no VM: there is no customer: moving");
});

test("status prints nothing that moves a cursor, turns the writing around or hides", async () => {
  const odd = "a\u001b[2J\u009b2J\u202evm\u200b\ufeff\u2028\u0007é";
  const status = host([vm("vm-1", { why: odd, held: true, heldBecause: odd })], {
    registryUnreadable: odd,
    refusedRecords: { count: 1, first: [{ id: undefined, path: `/v/${odd}`, error: odd }] },
    unmatchedHolds: { count: 1, first: [{ vmId: odd, reason: odd }] },
  });
  for (const json of [false, true]) {
    const { printed } = await show(read(status), { json });
    assert.doesNotMatch(printed, /[^\n\P{C}]|[\p{Zl}\p{Zp}]/u);
    assert.ok(printed.includes("é"), printed);
    if (json) assert.equal(JSON.parse(printed).vms[0].why, odd);
  }
});

test("of one VM status shows its refused record, even if there was never a good one", async () => {
  const refused = { id: "vm-2", path: "/v/vm-2.json", error: "no JSON" };
  const other = { id: "vm-3", path: "/v/vm-3.json", error: "no JSON" };
  const status = host([vm("vm-1")], { refusedRecords: { count: 2, first: [other, refused] } });
  const { code, printed } = await show(read(status), { vmId: "vm-2" });
  assert.equal(code, 1);
  assert.match(printed, /record refused: \/v\/vm-2.json: no JSON/);
  assert.doesNotMatch(printed, /vm-3/);
  assert.equal((await show(read(status), { vmId: "vm-1" })).code, 0);
  assert.equal((await show(read(status))).code, 1);
});

interface Said {
  readonly code: number;
  readonly printed: string;
  readonly complaints: readonly string[];
}

async function show(source: StatusSource, options: Partial<StatusOptions> = {}): Promise<Said> {
  let printed = "";
  const complaints: string[] = [];
  const output: Output = {
    print: (text) => {
      printed += text;
    },
    complain: (line) => complaints.push(line),
  };
  const code = await showStatus({
    vmId: undefined,
    json: false,
    read: async () => source,
    isAlive: async () => true,
    now: () => NOW,
    output,
    ...options,
  });
  return { code, printed, complaints };
}

const read = (status: HostStatus): StatusSource => ({ kind: "read", status, agent: AGENT });

test("status ends with 0 when all is well, 1 when a VM is not, 3 when the agent does not run, 4 when there is no telling", async () => {
  const dead = { isAlive: async () => false };
  const cases: readonly (readonly [StatusSource, Partial<StatusOptions>, number])[] = [
    [read(host([])), {}, 0],
    [read(host([vm("vm-1"), vm("vm-2", { phase: "pending" }), vm("vm-3", { phase: "stopped" })])), {}, 0],
    [read(host(TROUBLED)), {}, 1],
    [read(host(TROUBLED)), { vmId: "vm-1" }, 0],
    [read(host(TROUBLED)), { vmId: "vm-3" }, 1],
    [read(host([], { registryUnreadable: "EIO" })), {}, 1],
    [read(host([], { at: wallMs(NOW - 600_000) })), {}, 1],
    [read(host(TROUBLED)), dead, 3],
    [{ kind: "read", status: host([], { at: wallMs(NOW - 600_000) }), agent: undefined }, {}, 3],
    [{ kind: "absent", path: "/run/metald/status.json" }, {}, 3],
    [{ kind: "unreadable", error: "it is no JSON" }, {}, 4],
    [read(host(TROUBLED)), { vmId: "vm-9" }, 4],
    [read(host(TROUBLED)), { vmId: "../x" }, 64],
  ];
  for (const [source, options, code] of cases) {
    const said = await show(source, options);
    assert.equal(said.code, code, JSON.stringify([source, said]));
    assert.equal(said.printed === "", said.complaints.length > 0);
  }
});

test("status of one VM shows that VM alone, and as JSON the same facts", async () => {
  const { printed } = await show(read(host(TROUBLED)), { vmId: "vm-3", json: true });
  const shown = JSON.parse(printed);
  assert.equal(shown.condition, "running");
  assert.deepEqual(shown.agent, AGENT);
  assert.deepEqual(shown.vms, [JSON.parse(JSON.stringify(TROUBLED[2]))]);
});
