/**
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { transientVmUnit } from "../../src/adapters/launcher/transient_vm_unit.ts";
import { ASSETS } from "../../src/cli/assets.ts";
import { type InternalCommand, parseInternalCommand } from "../../src/cli/internal_command.ts";
import { processRecord } from "../adapters/launcher/vm_record.ts";

const guestShutdown = (vmm: Extract<InternalCommand, { kind: "guest_shutdown" }>["vmm"]) =>
  ({ kind: "guest_shutdown", vmm, socket: "/run/vms/a b.sock", timeoutMs: 90_000 }) as const;

/**
 * What units are given, by the first version that wrote it. VMs outlive upgrades, so units of each of these may call
 * this version: add to the list, and change nothing in it.
 */
const FORMS: readonly (readonly [since: string, args: readonly string[], means: InternalCommand])[] = [
  ["0.1.0", ["guest-shutdown", "firecracker", "run/vms/a b.sock", "90000"], guestShutdown("firecracker")],
  ["0.1.0", ["guest-shutdown", "cloud-hypervisor", "run/vms/a b.sock", "90000"], guestShutdown("cloud-hypervisor")],
  ["0.1.0", ["guest-shutdown", "qemu", "run/vms/a b.sock", "90000"], guestShutdown("qemu")],
  ["0.1.0", ["remove-leftovers", "/a", "--b"], { kind: "remove_leftovers", paths: ["/a", "--b"] }],
  ["0.1.0", ["reload"], { kind: "reload" }],
];

for (const [since, args, means] of FORMS) {
  test(`metald ${args.join(" ")} is understood as version ${since} meant it`, () => {
    assert.deepEqual(parseInternalCommand(args), means);
  });
}

test("what the service and the units of VMs are given today is on the list", () => {
  const known = FORMS.map(([, args]) => JSON.stringify(args));
  const reload = /^ExecReload=\S+ (.*)$/m.exec(ASSETS.unit)?.[1] ?? "";
  assert.ok(known.includes(JSON.stringify(reload.split(" "))), reload);
  for (const vmm of ["firecracker", "cloud-hypervisor", "qemu"] as const) {
    const record = { ...processRecord("vm-1", ["/bin/vmm"]), vmm, socket: "/run/vms/a b.sock" };
    assert.ok(record.launch?.kind === "argv");
    const options = { environment: {}, agentCommand: ["/usr/local/bin/metald"], shutdownTimeoutMs: 90_000 };
    const line = transientVmUnit(record, record.launch, options).find((each) => each.includes("=ExecStop="));
    const words = [...(line ?? "").matchAll(/"([^"]*)"/g)].map(([, word]) => word);
    assert.ok(known.includes(JSON.stringify(words.slice(1))), line);
  }
});

test("what is none of the forms is no command of a unit", () => {
  for (const args of [
    [],
    ["run"],
    ["reload", "now"],
    ["remove-leftovers"],
    ["guest-shutdown", "process", "a", "1"],
    ["guest-shutdown", "qemu", "a", "soon"],
    ["guest-shutdown", "qemu", "a", "1", "2"],
  ]) {
    assert.equal(parseInternalCommand(args), undefined, args.join(" "));
  }
});
