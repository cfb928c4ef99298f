/**
 * To which VM each process of a host belongs.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProcessFacts } from "../../src/domain/process.ts";
import type { VmRecord } from "../../src/domain/vm_record.ts";
import { vmmOf } from "../../src/domain/vmm.ts";
import { attribute, isLeftOver, NO_PROCESSES, socketArgument } from "../../src/recovery/ownership.ts";
import { factsOf, LAUNCH, recordOf } from "./examples.ts";

const SOCKET = "/run/vms/vm-1.sock";
const AGENT_UID = 500;
const VM_USER_UID = 64_055;
const USERS = {
  uid: AGENT_UID,
  uidOf: (user: string) => (user === "vmuser" ? VM_USER_UID : undefined),
};
const FIRECRACKER = ["/usr/bin/firecracker", "--api-sock", SOCKET];

interface Expected {
  readonly mains?: readonly number[];
  readonly owned?: readonly number[];
  readonly lookalikes?: readonly number[];
  readonly strays?: readonly number[];
}

interface Case extends Expected {
  readonly why: string;
  readonly record?: Partial<VmRecord>;
  readonly processes: readonly ProcessFacts[];
}

function pids(processes: readonly ProcessFacts[]): readonly number[] {
  return processes.map(({ identity }) => identity.pid);
}

/** A process that bears the mark of `vm-1`. */
function marked(pid: number, change: Partial<ProcessFacts> = {}): ProcessFacts {
  return factsOf(pid, { vmId: "vm-1", incarnation: 1, launchHash: "launch-1", argv: FIRECRACKER, ...change });
}

const asVmUser: Partial<VmRecord> = { launch: { ...LAUNCH, user: "vmuser" } };
const asProcess: Partial<VmRecord> = { vmm: "process", socket: undefined };

const CASES: readonly Case[] = [
  { why: "a host without processes has nothing of the VM", processes: [] },
  { why: "a marked VMM that names the socket is its main", processes: [marked(7)], mains: [7], owned: [7] },
  {
    why: "a VMM that bears the mark of a VM without a record only looks like the one whose socket it has",
    processes: [marked(7, { vmId: "renamed" })],
    lookalikes: [7],
  },
  {
    why: "a VMM in the unit of a VM without a record only looks like the one whose socket it has",
    processes: [factsOf(7, { argv: FIRECRACKER, unit: "metald-vm-renamed.service" })],
    lookalikes: [7],
  },
  {
    why: "a VMM in a unit of somebody else's is a main, as that says nothing of whose it is",
    processes: [factsOf(7, { argv: FIRECRACKER, unit: "session-3.scope" })],
    mains: [7],
  },
  {
    why: "the mark binds when the agent's own user runs it",
    processes: [marked(7, { uid: AGENT_UID })],
    mains: [7],
    owned: [7],
  },
  {
    why: "the mark binds when the record's user runs it",
    record: asVmUser,
    processes: [marked(7, { uid: VM_USER_UID })],
    mains: [7],
    owned: [7],
  },
  {
    why: "the mark of another user's process only resembles: anybody can set a variable",
    processes: [marked(7, { uid: 1_000 })],
    lookalikes: [7],
  },
  {
    why: "a user whom nobody knows may run nothing",
    record: { launch: { ...LAUNCH, user: "nobody-knows" } },
    processes: [marked(7, { uid: 1_000 })],
    lookalikes: [7],
  },
  {
    why: "a process in the VM's unit is owned without a mark, whoever runs it",
    processes: [factsOf(7, { unit: "metald-vm-vm-1.service", uid: 1_000, argv: FIRECRACKER })],
    mains: [7],
    owned: [7],
  },
  {
    why: "a unit that the record names is the VM's unit",
    record: { launch: { kind: "unit", unit: "firecracker@vm-1.service" } },
    processes: [factsOf(7, { unit: "firecracker@vm-1.service", argv: FIRECRACKER })],
    mains: [7],
    owned: [7],
  },
  {
    why: "another VM's unit is not",
    processes: [factsOf(7, { unit: "metald-vm-vm-11.service", exe: "sleep" })],
  },
  {
    why: "the deepest that names the socket is the main: a shell that wraps the VMM names it too",
    processes: [
      marked(7, { exe: "bash", argv: ["/bin/sh", "-c", `firecracker --id vm-1 --api-sock ${SOCKET} ; true`] }),
      marked(8, { parentPid: 7, sessionId: 7 }),
    ],
    mains: [8],
    owned: [7, 8],
  },
  {
    why: "a shell that does not name the socket is owned and no main",
    processes: [
      marked(7, { exe: "bash", argv: ["/bin/sh", "/usr/local/bin/start-vm"] }),
      marked(8, { parentPid: 7, sessionId: 7 }),
    ],
    mains: [8],
    owned: [7, 8],
  },
  {
    why: "a wrapper alone, before it has started the VMM, is the main",
    processes: [marked(7, { exe: "bash", argv: ["/bin/sh", "/usr/local/bin/start-vm"] })],
    mains: [7],
    owned: [7],
  },
  {
    why: "a helper of the VMM is owned, and no main",
    processes: [
      marked(7),
      marked(8, { exe: "virtiofsd", argv: ["virtiofsd", "--fd", "3"], parentPid: 7, sessionId: 7 }),
    ],
    mains: [7],
    owned: [7, 8],
  },
  {
    why: "a VMM whose command line names its socket by another path is still the main",
    processes: [
      marked(7, { exe: "bash", argv: ["sh", "jail"] }),
      marked(8, { argv: ["firecracker", "--api-sock", "run/vm.sock"], parentPid: 7, sessionId: 7 }),
    ],
    mains: [8],
    owned: [7, 8],
  },
  {
    why: "what outlived its main is a remnant and no main: it does not lead its session",
    processes: [marked(8, { exe: "sleep", argv: ["sleep", "9"], sessionId: 7 })],
    owned: [8],
  },
  {
    why: "two owned VMMs that name the socket are two mains",
    processes: [marked(7), marked(8)],
    mains: [7, 8],
    owned: [7, 8],
  },
  {
    why: "an owned and a foreign VMM at one socket are two mains",
    processes: [marked(7), factsOf(8, { argv: FIRECRACKER })],
    mains: [7, 8],
    owned: [7],
  },
  {
    why: "a process VM's main is the owned one whose parent is not owned",
    record: asProcess,
    processes: [
      marked(7, { exe: "worker", argv: ["worker"] }),
      marked(8, { exe: "worker", argv: ["worker", "child"], parentPid: 7, sessionId: 7 }),
    ],
    mains: [7],
    owned: [7, 8],
  },
  {
    why: "a process VM has no look-alike by its program: any process may run that",
    record: asProcess,
    processes: [factsOf(7, { exe: "worker", argv: ["worker"] })],
  },
  {
    why: "a zombie leader with living tasks is a main like any other: judging its state is not attribution",
    processes: [marked(7, { state: "Z", liveTasks: 3 })],
    mains: [7],
    owned: [7],
  },
  {
    why: "a foreign VMM of root at the record's socket is its main",
    processes: [factsOf(7, { argv: FIRECRACKER })],
    mains: [7],
  },
  {
    why: "a foreign VMM of the record's user is its main",
    record: asVmUser,
    processes: [factsOf(7, { argv: FIRECRACKER, uid: VM_USER_UID })],
    mains: [7],
  },
  {
    why: "a foreign VMM of anybody else at the socket resembles, and blocks",
    processes: [factsOf(7, { argv: FIRECRACKER, uid: 1_000 })],
    lookalikes: [7],
  },
  {
    why: "only a VMM's executable makes a foreign main: an editor may have the socket's path in its arguments",
    processes: [factsOf(7, { exe: "vim", argv: ["vim", SOCKET] })],
  },
  {
    why: "the executable counts, not what argv[0] claims",
    processes: [factsOf(7, { exe: "sleep", argv: ["/usr/bin/firecracker", "--api-sock", SOCKET] })],
  },
  {
    why: "a foreign VMM that bears the VM's id as --id resembles it, at another socket",
    processes: [factsOf(7, { argv: ["firecracker", "--id", "vm-1", "--api-sock", "/tmp/other.sock"] })],
    lookalikes: [7],
  },
  {
    why: "--id=vm-1 is the same",
    processes: [factsOf(7, { argv: ["firecracker", "--id=vm-1"] })],
    lookalikes: [7],
  },
  {
    why: "QEMU's -name guest=vm-1 resembles",
    processes: [factsOf(7, { exe: "qemu-system-x86_64", argv: ["qemu", "-name", "guest=vm-1,process=x"] })],
    lookalikes: [7],
  },
  {
    why: "QEMU's -name vm-1 resembles",
    processes: [factsOf(7, { exe: "qemu-system-x86_64", argv: ["qemu", "-name", "vm-1,debug-threads=on"] })],
    lookalikes: [7],
  },
  {
    why: "an id that only begins alike does not",
    processes: [factsOf(7, { argv: ["firecracker", "--id", "vm-11"] })],
    strays: [7],
  },
  {
    why: "a VMM of no record is a stray",
    processes: [factsOf(7, { argv: ["firecracker", "--api-sock", "/tmp/other.sock"] })],
    strays: [7],
  },
  {
    why: "a VMM with the mark of a record that is gone is a stray",
    processes: [factsOf(7, { vmId: "vm-gone", argv: ["firecracker"] })],
    strays: [7],
  },
  {
    why: "a path of which the socket is a prefix is another path",
    processes: [factsOf(7, { argv: ["firecracker", "--api-sock", `${SOCKET}2`] })],
    strays: [7],
  },
  {
    why: "a path that ends like the socket is another path",
    processes: [factsOf(7, { argv: ["firecracker", "--api-sock", `/jail${SOCKET}`] })],
    strays: [7],
  },
];

for (const { why, record, processes, mains = [], owned = [], lookalikes = [], strays = [] } of CASES) {
  test(`attribute(): ${why}`, () => {
    const attribution = attribute([recordOf(record)], processes, USERS);
    const found = attribution.of.get("vm-1") ?? NO_PROCESSES;
    assert.deepEqual(
      {
        mains: pids(found.mains),
        owned: pids(found.owned),
        lookalikes: pids(found.lookalikes),
        strays: pids(attribution.strays),
      },
      { mains, owned, lookalikes, strays },
    );
  });
}

const SPELLINGS: readonly (readonly [exe: string, argv: readonly string[]])[] = [
  ["firecracker", ["--api-sock", SOCKET]],
  ["firecracker", [`--api-sock=${SOCKET}`]],
  ["cloud-hypervisor", ["--api-socket", SOCKET]],
  ["cloud-hypervisor", ["--api-socket", `path=${SOCKET}`]],
  ["qemu-system-x86_64", ["-qmp", `unix:${SOCKET},server=on,wait=off`]],
  ["qemu-system-x86_64", ["-qmp", `unix:${SOCKET}`]],
  ["qemu-system-x86_64", ["-chardev", `socket,id=q,path=${SOCKET}`, "-mon", "chardev=q,mode=control"]],
  ["qemu-system-x86_64", ["-chardev", `socket,path=${SOCKET},id=q,server=on`]],
  ["qemu-system-aarch64", [`-qmp=unix:${SOCKET},server=on`]],
];

for (const [exe, argv] of SPELLINGS) {
  test(`attribute() finds the socket of ${exe} ${argv.join(" ")}`, () => {
    const { of, strays } = attribute([recordOf()], [factsOf(7, { exe, argv: [exe, ...argv] })], USERS);
    assert.deepEqual(pids(of.get("vm-1")?.mains ?? []), [7]);
    assert.deepEqual(strays, []);
  });
}

test("a socket whose path holds commas and colons is found as it stands", () => {
  const socket = "/run/vms/a,b:c/vm-1.sock";
  const argv = ["qemu", "-qmp", `unix:${socket},server=on`];
  const { of } = attribute([recordOf({ socket })], [factsOf(7, { exe: "qemu-system-x86_64", argv })], USERS);
  assert.deepEqual(pids(of.get("vm-1")?.mains ?? []), [7]);
});

test("two records of one socket both find the VMM there, so that neither starts a second one", () => {
  const records = [recordOf({ id: "a", socket: SOCKET }), recordOf({ id: "b", socket: SOCKET })];
  const { of } = attribute(records, [factsOf(7, { argv: FIRECRACKER })], USERS);
  assert.deepEqual([pids(of.get("a")?.mains ?? []), pids(of.get("b")?.mains ?? [])], [[7], [7]]);
});

test("of 1,000 records and their processes each finds its own, though ids are prefixes of each other", () => {
  const ids = Array.from({ length: 1_000 }, (_, index) => `vm-${index}`);
  const processes = ids.map((id, index) =>
    factsOf(10_000 + index, { argv: ["firecracker", "--id", id, "--api-sock", `/run/vms/${id}.sock`] }),
  );
  const bystanders = Array.from({ length: 1_000 }, (_, index) =>
    factsOf(20_000 + index, { exe: "bash", argv: ["bash"] }),
  );
  const { of, strays } = attribute(
    ids.map((id) => recordOf({ id })),
    [...processes, ...bystanders],
    USERS,
  );
  for (const [index, id] of ids.entries()) {
    assert.deepEqual(pids(of.get(id)?.mains ?? []), [10_000 + index], id);
    assert.deepEqual(of.get(id)?.lookalikes, [], id);
  }
  assert.deepEqual(strays, []);
});

test("isLeftOver(): what is left of a launch whose main is dead, unless it is a VMM itself", () => {
  const wrapper = marked(7, { exe: "bash" });
  assert.equal(isLeftOver(wrapper, undefined), false);
  assert.equal(isLeftOver(wrapper, 1), true);
  assert.equal(isLeftOver(wrapper, 2), false);
  assert.equal(isLeftOver(marked(7), 1), false);
  assert.equal(isLeftOver(factsOf(7, { exe: "bash" }), 1), false);
});

test("vmmOf() knows a VMM by its executable's whole name", () => {
  const kinds = ["firecracker", "cloud-hypervisor", "qemu-system-x86_64", "qemu-img", "firecracker-2", ""].map(vmmOf);
  assert.deepEqual(kinds, ["firecracker", "cloud-hypervisor", "qemu", undefined, undefined, undefined]);
});

test("socketArgument() names the first path that looks like a socket", () => {
  assert.equal(socketArgument(["qemu", "-drive", "file=/a.img", "-qmp", "unix:/run/q.sock,server=on"]), "/run/q.sock");
  assert.equal(socketArgument(["firecracker", "--api-sock=/run/a.socket"]), "/run/a.socket");
  assert.equal(socketArgument(["firecracker", "--config-file", "/srv/a.json"]), undefined);
});
