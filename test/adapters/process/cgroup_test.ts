/**
 * Units of systemd in `/proc/<pid>/cgroup`.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { unitOf } from "../../../src/adapters/process/cgroup.ts";

const CASES: readonly [text: string, unit: string | undefined][] = [
  ["0::/metald-vms.slice/metald-vm-a.service\n", "metald-vm-a.service"],
  ["0::/metald-vms.slice/metald-vm-a.service (deleted)\n", "metald-vm-a.service"],
  ["0::/system.slice/libvirtd.service/vcpu0/emulator\n", "libvirtd.service"],
  ["0::/user.slice/user-0.slice/session-1.scope\n", "session-1.scope"],
  ["0::/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/vcpu1\n", "machine-qemu\\x2d1\\x2dvm.scope"],
  ["0::/outer.service/inner.scope\n", "inner.scope"],
  ["0::/system.slice/_cgroup.service\n", "cgroup.service"],
  ["0::/\n", undefined],
  ["0::/metald-vms.slice\n", undefined],
  ["", undefined],
  ["12:cpuset:/x.service\n1:name=systemd:/system.slice/qemu:1.service\n", "qemu:1.service"],
  ["1:name=systemd:/old.service\n0::/new.service\n", "new.service"],
];

for (const [text, unit] of CASES) {
  test(`unitOf ${JSON.stringify(text)} is ${unit}`, () => assert.equal(unitOf(text), unit));
}
