import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseLauncher, surroundingsOf } from "../../src/config/launcher_choice.ts";

const SHELL = { systemdIsInit: true, insideService: false, isRoot: false };
const SERVICE = { systemdIsInit: true, insideService: true, isRoot: false };
const CONTAINER = { systemdIsInit: false, insideService: true, isRoot: true };

test("chooseLauncher starts VMs directly where they outlive the agent", () => {
  for (const setting of ["auto", "direct"] as const) {
    assert.deepEqual(chooseLauncher(setting, SHELL), { kind: "direct" });
    assert.deepEqual(chooseLauncher(setting, CONTAINER), { kind: "direct" });
  }
  assert.deepEqual(chooseLauncher("direct", { ...SHELL, isRoot: true }), { kind: "direct" });
});

test("chooseLauncher refuses the direct launcher inside a systemd service, which would end the VMs with the agent", () => {
  for (const setting of ["auto", "direct"] as const) {
    const choice = chooseLauncher(setting, SERVICE);
    assert.ok(choice.kind === "rejected");
    assert.match(choice.error, /^Cannot use launcher as .*: current value is "(auto|direct)"$/);
  }
  assert.equal(chooseLauncher("direct", { ...SERVICE, isRoot: true }).kind, "rejected");
});

test("chooseLauncher starts VMs in units wherever root has a systemd, in a service and in a shell", () => {
  for (const setting of ["auto", "systemd"] as const) {
    assert.deepEqual(chooseLauncher(setting, { ...SERVICE, isRoot: true }), { kind: "systemd" });
    assert.deepEqual(chooseLauncher(setting, { ...SHELL, isRoot: true }), { kind: "systemd" });
  }
});

test("chooseLauncher refuses the systemd launcher where there is no systemd, and to anybody but root", () => {
  for (const surroundings of [CONTAINER, SHELL]) {
    const choice = chooseLauncher("systemd", surroundings);
    assert.ok(choice.kind === "rejected");
    assert.match(choice.error, /^Cannot use launcher as .*: current value is "systemd"$/);
  }
});

test("surroundingsOf tells a service by its control group, and by INVOCATION_ID only where the group tells nothing", () => {
  const cases: readonly (readonly [string, string, string | undefined, boolean])[] = [
    ["systemd\n", "0::/system.slice/metald.service\n", "abc", true],
    ["systemd\n", "0::/user.slice/user-0.slice/session-3.scope\n", undefined, false],
    ["systemd\n", "0::/user.slice/user-1.slice/user@1.service/app.slice/terminal.scope\n", "abc", false],
    ["systemd\n", "0::/\n", "abc", true],
    ["systemd\n", "0::/\n", undefined, false],
    ["systemd\n", "", "abc", true],
    ["systemd\n", "12:cpu:/x\n1:name=systemd:/system.slice/metald.service\n0::/\n", undefined, true],
  ];
  for (const [initName, cgroupText, invocationId, insideService] of cases) {
    const expected = { systemdIsInit: true, insideService, isRoot: true };
    assert.deepEqual(surroundingsOf({ initName, cgroupText, invocationId, uid: 0 }), expected, cgroupText);
  }
  assert.equal(
    surroundingsOf({ initName: "init\n", cgroupText: "", invocationId: undefined, uid: 1 }).systemdIsInit,
    false,
  );
});
