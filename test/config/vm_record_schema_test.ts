import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVmRecord, SOCKET_PATH_BYTES_MAX } from "../../src/config/vm_record_schema.ts";
import type { VmRecord } from "../../src/domain/vm_record.ts";

const PLAIN = { id: "vm-1", state: "running", vmm: "process", launch: { argv: ["/bin/sleep", "60"] } };
const QEMU = { id: "vm-1", state: "running", vmm: "qemu", socket: "/run/vms/vm-1.qmp" };

function valid(written: object | string): VmRecord {
  const reading = parseVmRecord("vm-1", typeof written === "string" ? written : JSON.stringify(written));
  assert.ok(reading.kind === "valid", JSON.stringify(reading));
  return reading.record;
}

function errorsOf(written: unknown): string {
  const reading = parseVmRecord("vm-1", typeof written === "string" ? written : JSON.stringify(written));
  assert.ok(reading.kind === "invalid", `must be invalid: ${JSON.stringify(written)}`);
  return reading.errors.join("\n");
}

test("a record means what it says, and the defaults where it is silent", () => {
  const { contentHash, launchHash, ...record } = valid(PLAIN);
  assert.match(contentHash, /^[0-9a-f]{16}$/);
  assert.match(launchHash, /^[0-9a-f]{16}$/);
  assert.deepEqual(record, {
    id: "vm-1",
    desired: "running",
    vmm: "process",
    socket: undefined,
    launch: {
      kind: "argv",
      argv: ["/bin/sleep", "60"],
      env: {},
      cwd: "/",
      user: undefined,
      cleanup: [],
      beforeStart: [],
      afterStop: [],
      hookTimeoutMs: 10_000,
    },
    disks: [],
    priority: 0,
    restart: "always",
    stop: "ask",
    guest: {},
    healthCheck: {},
    recovery: {},
  });
});

test("a record with everything in it is read whole, with comments", () => {
  const record = valid(`{
    "id": "vm-1", "state": "stopped", "vmm": "firecracker", // a comment
    "socket": "/run/vms/vm-1.sock",
    "launch": {
      "argv": ["/usr/bin/firecracker", "--id", "vm-1"], "env": { "RUST_LOG": "info" }, "cwd": "/srv", "user": "vm_user",
      "cleanup": ["/run/vms/vm-1.vsock"], "before_start": [["/bin/tap-up", "vm-1"]], "after_stop": [["/bin/tap-down"]],
      "hook_timeout": "3s",
    },
    "disks": ["/srv/a.ext4", { "path": "/srv/shared.ext4", "shared": true }],
    "priority": -5, "restart": "on-failure", "stop": "force",
    "health_check": { "interval": "10s", "guest": { "tcp": "[fd00::2]:22" } },
    "recovery": { "max_retries": 9, "allow_data_loss": true },
  }`);
  assert.ok(record.launch?.kind === "argv");
  assert.deepEqual(record.launch.beforeStart, [["/bin/tap-up", "vm-1"]]);
  assert.equal(record.launch.hookTimeoutMs, 3000);
  assert.equal(record.launch.user, "vm_user");
  assert.deepEqual(record.disks, [
    { path: "/srv/a.ext4", shared: false },
    { path: "/srv/shared.ext4", shared: true },
  ]);
  assert.deepEqual(record.guest, { tcp: { host: "fd00::2", port: 22 } });
  assert.deepEqual(record.healthCheck, { intervalMs: 10_000 });
  assert.deepEqual(record.recovery, { maxRetries: 9, allowDataLoss: true });
});

test("a launch may name a systemd unit instead of a program", () => {
  const unit = "firecracker@vm-1.service";
  assert.deepEqual(valid({ ...QEMU, launch: { systemd_unit: unit } }).launch, { kind: "unit", unit });
  assert.match(
    errorsOf({ ...QEMU, launch: { systemd_unit: "a.timer" } }),
    /launch\.systemd_unit as it must be the name/,
  );
  for (const own of ["metald.service", "metald-vm-other.service"]) {
    assert.match(errorsOf({ ...QEMU, launch: { systemd_unit: own } }), /it must not be a unit of metald/);
  }
});

test("a record without a launch is watched only", () => {
  assert.equal(valid(QEMU).launch, undefined);
});

test("what is wrong in a record is named by key, rule and value", () => {
  const launch = (more: object) => ({ ...PLAIN, launch: { argv: ["/bin/sleep"], ...more } });
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [
      { ...PLAIN, id: "vm-2" },
      /Cannot use id as it must equal the file's name without \.json, "vm-1": current value is "vm-2"/,
    ],
    [{ ...PLAIN, id: "../../etc/passwd" }, /Cannot use id as it must match/],
    [
      { ...PLAIN, state: "on" },
      /Cannot use state as it must be one of "running", "paused", "stopped": current value is "on"/,
    ],
    [
      { vmm: "process" },
      /Cannot use id as .*: current value is absent\nCannot use state as .*: current value is absent/,
    ],
    [{ ...PLAIN, vmm: "xen" }, /Cannot use vmm as it must be one of/],
    [
      { ...PLAIN, socket: "/run/x" },
      /Cannot use socket as a VM of the kind "process" has none: current value is "\/run\/x"/,
    ],
    [
      { ...QEMU, socket: undefined },
      /Cannot use socket as a VM of the kind "qemu" must have one: current value is absent/,
    ],
    [{ ...QEMU, socket: "run/x" }, /Cannot use socket as it must be an absolute path of at most 107 bytes/],
    [{ ...QEMU, socket: `/${"x".repeat(SOCKET_PATH_BYTES_MAX)}` }, /Cannot use socket as it must be an absolute path/],
    [{ ...QEMU, socket: "/run/\n" }, /Cannot use socket as/],
    [
      launch({ argv: ["sleep"] }),
      /Cannot use launch\.argv\[0\] as it must be the absolute path of a program: current value is "sleep"/,
    ],
    [
      launch({ argv: ["/bin/a=b"] }),
      /Cannot use launch\.argv\[0\] as the path of the program must not contain "=": current value is "\/bin\/a=b"/,
    ],
    [launch({ argv: "/bin/sleep 1" }), /Cannot use launch\.argv as it must be a list of a program and its arguments/],
    [
      launch({ argv: [] }),
      /Cannot use launch\.argv\[0\] as it must be the absolute path of a program: current value is absent/,
    ],
    [launch({ argv: ["/bin/a", "x\0"] }), /Cannot use launch\.argv\[1\] as it must be a text without NUL/],
    [
      launch({ argv: ["/bin/qemu", "-daemonize"] }),
      /Cannot use launch\.argv\[1\] as the program must stay in the foreground/,
    ],
    [
      launch({ argv: ["/bin/jailer", "--daemonize"] }),
      /Cannot use launch\.argv\[1\] as the program must stay in the foreground/,
    ],
    [
      launch({ env: { METALD_VM_ID: "x" } }),
      /Cannot use launch\.env\.METALD_VM_ID as its name must .*: current value is \(a text, not shown\)/,
    ],
    [launch({ env: { "A B": "x" } }), /Cannot use launch\.env\["A\.\.\."\] as its name must/],
    [
      launch({ env: { A: 1 } }),
      /Cannot use launch\.env\.A as it must be a text without NUL: current value is \(a number, not shown\)/,
    ],
    [launch({ cwd: "srv" }), /Cannot use launch\.cwd as it must be an absolute path/],
    [launch({ user: "0 0" }), /Cannot use launch\.user as it must be the name of a user/],
    [launch({ cleanup: ["/a", "b"] }), /Cannot use launch\.cleanup\[1\] as it must be an absolute path/],
    [
      launch({ before_start: [["tap-up"]] }),
      /Cannot use launch\.before_start\[0\]\[0\] as it must be the absolute path/,
    ],
    [launch({ hook_timeout: "10" }), /Cannot use launch\.hook_timeout as it must be a duration/],
    [launch({ property: {} }), /Cannot use launch\.property as the key is unknown: current value is {}/],
    [launch({ properties: { User: "x" } }), /Cannot use launch\.properties\.User as User is set by launch\.user/],
    [
      launch({ properties: { ExecStartPre: "/x" } }),
      /launch\.properties\.ExecStartPre as ExecStartPre is metald's own/,
    ],
    [launch({ properties: { memory: "1G" } }), /launch\.properties\.memory as its name must be that of a property/],
    [launch({ properties: { MemoryMax: 5 } }), /launch\.properties\.MemoryMax.* as it must be a list/],
    [launch({ properties: { DeviceAllow: ["a\nb"] } }), /DeviceAllow\[0\] as it must be a text of one line/],
    [{ ...PLAIN, disks: ["a"] }, /Cannot use disks\[0\]\.path as it must be an absolute path .*: current value is "a"/],
    [
      { ...PLAIN, disks: [{ path: "/a", ro: true }] },
      /Cannot use disks\[0\]\.ro as the key is unknown: current value is true/,
    ],
    [{ ...PLAIN, priority: 0.5 }, /Cannot use priority as it must be a whole number/],
    [{ ...PLAIN, restart: "no" }, /Cannot use restart as it must be one of/],
    [
      { ...PLAIN, health_check: { guest: { tcp: "10.0.0.2" } } },
      /Cannot use health_check\.guest\.tcp as it must be "host:port"/,
    ],
    [
      { ...PLAIN, health_check: { interval: "1s", timeout: "2s" } },
      /Cannot use health_check\.timeout as it must be at most/,
    ],
    [{ ...PLAIN, recovery: { brake: {} } }, /Cannot use recovery\.brake as the key is unknown/],
    [
      { ...PLAIN, prioritty: 1 },
      /Cannot use prioritty as the key is unknown, did you mean priority: current value is 1/,
    ],
    ["[]", /Cannot use the document as it must be an object: current value is \[\]/],
    ['{"id": "vm-1",', /Cannot read the record as it must be JSON with comments: .*: line 1, column 15/],
    ['{"__proto__": {"id": "vm-1"}}', /Cannot use __proto__ as the key is unknown/],
  ];
  for (const [written, pattern] of cases) assert.match(errorsOf(written), pattern);
});

test("properties of the VM's unit are lists of assignments, and none is no key at all", () => {
  const properties = { MemoryMax: "2G", DeviceAllow: ["/dev/kvm rw", "/dev/net/tun rw"] };
  const { launch } = valid({ ...PLAIN, launch: { ...PLAIN.launch, properties } });
  assert.ok(launch?.kind === "argv");
  assert.deepEqual(launch.properties, { MemoryMax: ["2G"], DeviceAllow: ["/dev/kvm rw", "/dev/net/tun rw"] });
  const plain = valid(PLAIN).launch;
  assert.ok(plain !== undefined && !("properties" in plain));
});

test("the content hash changes with the meaning and not with formatting, comments or the order of keys", () => {
  const { contentHash } = valid(PLAIN);
  const { launch, ...rest } = PLAIN;
  assert.equal(valid({ launch, ...rest, disks: [] }).contentHash, contentHash);
  assert.equal(valid(`// a comment\n${JSON.stringify(PLAIN, undefined, 4)}`).contentHash, contentHash);
  assert.notEqual(valid({ ...PLAIN, priority: 1 }).contentHash, contentHash);
});

test("a hash does not change when a default is written out, or would with each key that a later version adds", () => {
  const spelt = {
    ...PLAIN,
    launch: {
      ...PLAIN.launch,
      env: {},
      cwd: "/",
      cleanup: [],
      before_start: [],
      after_stop: [],
      hook_timeout: "10000ms",
    },
    disks: [],
    priority: 0,
    restart: "always",
    stop: "ask",
    health_check: { guest: {} },
    recovery: {},
  };
  assert.equal(valid(spelt).contentHash, valid(PLAIN).contentHash);
  assert.equal(valid(spelt).launchHash, valid(PLAIN).launchHash);
  const disk = { ...QEMU, disks: ["/srv/a"] };
  assert.equal(valid({ ...disk, disks: [{ path: "/srv/a", shared: false }] }).launchHash, valid(disk).launchHash);
  assert.notEqual(valid({ ...disk, disks: [{ path: "/srv/a", shared: true }] }).launchHash, valid(disk).launchHash);
});

test("the hashes are those of the first version, as running VMs and state files keep them over an upgrade", () => {
  const full = {
    ...QEMU,
    state: "paused",
    launch: {
      argv: ["/usr/bin/qemu-system-x86_64", "-M", "q35"],
      env: { A: "b" },
      cwd: "/srv",
      user: "vms",
      cleanup: ["/run/x"],
      before_start: [["/bin/up", "1"]],
      after_stop: [["/bin/down"]],
      hook_timeout: "20s",
      properties: { MemoryMax: "1G" },
    },
    disks: ["/srv/a", { path: "/srv/b", shared: true }],
    priority: 3,
    restart: "never",
    stop: "force",
    health_check: { interval: "10s", guest: { tcp: "10.0.0.2:22" } },
    recovery: { max_retries: 5 },
  };
  const hashesOf = ({ contentHash, launchHash }: VmRecord) => [contentHash, launchHash];
  assert.deepEqual(hashesOf(valid(PLAIN)), ["24b399e330b10e73", "2c453a2b3661036a"]);
  assert.deepEqual(hashesOf(valid(full)), ["c9c65bedb8d68980", "40af529e1aa4792e"]);
  assert.deepEqual(hashesOf(valid({ ...QEMU, launch: { systemd_unit: "fc@1.service" } })), [
    "7afeb80f2443678f",
    "8a2a553952a44de8",
  ]);
});

test("the launch hash changes only with what a running VM was started from", () => {
  const { launchHash } = valid(QEMU);
  assert.equal(valid({ ...QEMU, state: "stopped", priority: 3, recovery: { max_retries: 1 } }).launchHash, launchHash);
  for (const more of [{ disks: ["/a"] }, { socket: "/run/b" }, { vmm: "firecracker" }, { launch: PLAIN.launch }]) {
    assert.notEqual(valid({ ...QEMU, ...more }).launchHash, launchHash, JSON.stringify(more));
  }
});
