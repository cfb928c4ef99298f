/**
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { transientVmUnit } from "../../../src/adapters/launcher/transient_vm_unit.ts";
import type { ArgvLaunch, VmRecord } from "../../../src/domain/vm_record.ts";
import { processRecord } from "./vm_record.ts";

const OPTIONS = {
  environment: { METALD_VM_ID: "vm-1" },
  agentCommand: ["/opt/met ald", "x"],
  shutdownTimeoutMs: 90_000,
};

function unit(launch: Partial<ArgvLaunch>, record: Partial<VmRecord> = {}): readonly string[] {
  const whole = { ...processRecord("vm-1", ["/bin/vmm", "--price", "$5", "-"], launch), ...record };
  assert.ok(whole.launch?.kind === "argv");
  return transientVmUnit(whole, whole.launch, OPTIONS);
}

test("a program becomes a unit of its own that lives on without the agent and is stopped after it", () => {
  assert.deepEqual(
    unit({ cwd: "/srv", user: "vm_user", properties: { MemoryMax: ["2G"], DeviceAllow: ["a r", "b"] } }),
    [
      "--unit=metald-vm-vm-1.service",
      "--slice=metald-vms.slice",
      "--description=metald VM vm-1",
      "--service-type=exec",
      "--property=WorkingDirectory=/srv",
      "--property=RemainAfterExit=yes",
      "--property=Before=metald.service",
      "--property=After=network.target remote-fs.target",
      "--property=TimeoutStopSec=100000ms",
      "--property=User=vm_user",
      "--property=MemoryMax=2G",
      "--property=DeviceAllow=a r",
      "--property=DeviceAllow=b",
      "--setenv=METALD_VM_ID=vm-1",
      "--",
      "/bin/vmm",
      "--price",
      "$$5",
      "-",
    ],
  );
});

test("the record's variables are for its program alone, and not for what root runs in its unit", () => {
  const args = unit({ user: "vm_user", env: { LD_PRELOAD: "/home/vm_user/$x.so", METALD_VM_ID: "other" } });
  assert.deepEqual(args.slice(args.indexOf("--") + 1), [
    "/usr/bin/env",
    "LD_PRELOAD=/home/vm_user/$$x.so",
    "/bin/vmm",
    "--price",
    "$$5",
    "-",
  ]);
  assert.deepEqual(
    args.filter((argument) => argument.startsWith("--setenv=")),
    ["--setenv=METALD_VM_ID=vm-1"],
  );
});

test("a guest is asked when its unit stops, by a command line that does not name its socket", () => {
  const args = unit({}, { vmm: "qemu", socket: "/run/vms/a.sock" });
  const stop = args.find((argument) => argument.startsWith("--property=ExecStop="));
  assert.equal(stop, '--property=ExecStop=+"/opt/met ald" "x" "guest-shutdown" "qemu" "run/vms/a.sock" "90000"');
});
