import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseLauncher, surroundingsOf } from "../../src/config/launcher_choice.ts";

const SHELL = { systemdIsInit: true, insideService: false };
const SERVICE = { systemdIsInit: true, insideService: true };
const CONTAINER = { systemdIsInit: false, insideService: true };

test("chooseLauncher starts VMs directly where they outlive the agent", () => {
  for (const setting of ["auto", "direct"] as const) {
    assert.deepEqual(chooseLauncher(setting, SHELL), { kind: "direct" });
    assert.deepEqual(chooseLauncher(setting, CONTAINER), { kind: "direct" });
  }
});

test("chooseLauncher refuses the direct launcher inside a systemd service, which would end the VMs with the agent", () => {
  for (const setting of ["auto", "direct"] as const) {
    const choice = chooseLauncher(setting, SERVICE);
    assert.ok(choice.kind === "rejected");
    assert.match(choice.error, /^Cannot use launcher as .*: current value is "(auto|direct)"$/);
  }
});

test("chooseLauncher refuses the systemd launcher, which this version does not have", () => {
  assert.equal(chooseLauncher("systemd", SHELL).kind, "rejected");
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
    const expected = { systemdIsInit: true, insideService };
    assert.deepEqual(surroundingsOf({ initName, cgroupText, invocationId }), expected, cgroupText);
  }
  assert.equal(surroundingsOf({ initName: "init\n", cgroupText: "", invocationId: undefined }).systemdIsInit, false);
});
