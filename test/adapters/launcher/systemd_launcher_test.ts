/**
 * The systemd launcher on a host with systemd: its contract, and what a VM's unit is.
 * @module
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { createSystemClock } from "../../../src/adapters/clock/system_clock.ts";
import { createSystemdLauncher } from "../../../src/adapters/launcher/systemd_launcher.ts";
import { createProcessTable } from "../../../src/adapters/process/process_table.ts";
import type { ArgvLaunch, VmRecord } from "../../../src/domain/vm_record.ts";
import { launcherContract, type ProgramBehaviour } from "../../contract/launcher_contract.ts";
import { eventually } from "../process/host_processes.ts";
import { journalOf, manager, needsSystemd, removeUnit } from "./systemd_bench.ts";
import { processRecord } from "./vm_record.ts";

const table = createProcessTable({ clock: createSystemClock(), pidfds: undefined });
const launcher = createSystemdLauncher({
  manager,
  agentCommand: ["/bin/echo", "it's", "$HOME", "%n"],
  shutdownTimeoutMs: () => 5_000,
});

function argvOf(behaviour: ProgramBehaviour): readonly string[] {
  switch (behaviour.kind) {
    case "lives":
      return ["/bin/sleep", "600"];
    case "exits":
      return ["/bin/sh", "-c", `exit ${behaviour.code}`];
    default:
      return ["/nonexistent/vmm"];
  }
}

interface Bench {
  record(argv: readonly string[], launch?: Partial<ArgvLaunch>): VmRecord;
  unitOf(record: VmRecord): string;
  dispose(): Promise<void>;
}

function createBench(): Bench {
  const units: string[] = [];
  const unitOf = (record: VmRecord) => `metald-vm-${record.id}.service`;
  return {
    unitOf,
    record(argv, launch) {
      const record = processRecord(`vm-${randomUUID()}`, argv, launch);
      units.push(unitOf(record));
      return record;
    },
    async dispose() {
      for (const unit of units) removeUnit(unit);
    },
  };
}

if (needsSystemd === false) {
  launcherContract("systemd launcher", async () => {
    const bench = createBench();
    return { launcher, table, eventually, recordOf: (it) => bench.record(argvOf(it)), dispose: bench.dispose };
  });
}

function onSystemd(rule: string, check: (bench: Bench) => Promise<void>): void {
  test(rule, { skip: needsSystemd }, async () => {
    const bench = createBench();
    try {
      await check(bench);
    } finally {
      await bench.dispose();
    }
  });
}

onSystemd(
  "a VM's argv and environment reach it as they are written, whatever systemd would make of them",
  async (bench) => {
    const odd = ["$HOME", `$${"{PATH}"}`, "$$", "%n", 'say "hi"', "a\\tb", "", "it's", "-- --"];
    const env = { ODD: 'two "words" $HOME %n \\', METALD_VM_ID: "somebody-else" };
    const show = 'printf "<%s>" "$@"; printf "{%s}" "$ODD" "$METALD_VM_ID" "$METALD_INCARNATION"; echo; exec sleep 600';
    const record = bench.record(["/bin/sh", "-c", show, "sh", ...odd], { env });
    assert.equal((await launcher.launch({ record, incarnation: 5 })).kind, "launched");
    await eventually(() => journalOf(bench.unitOf(record)).includes("}\n"));
    const expected = `${odd.map((each) => `<${each}>`).join("")}{${env.ODD}}{${record.id}}{5}\n`;
    assert.equal(journalOf(bench.unitOf(record)), expected);
  },
);

onSystemd(
  "a VM runs as its record's user with the groups of that user, in its directory, and not as our child",
  async (bench) => {
    const launch = { user: "nobody", cwd: "/usr" };
    const record = bench.record(["/bin/sh", "-c", "id -un; id -gn; pwd; exec sleep 600"], launch);
    const outcome = await launcher.launch({ record, incarnation: 1 });
    assert.ok(outcome.kind === "launched");
    await eventually(() => journalOf(bench.unitOf(record)).includes("/usr\n"));
    assert.equal(journalOf(bench.unitOf(record)), "nobody\nnogroup\n/usr\n");
    const facts = await table.describe(outcome.process);
    assert.equal(facts?.unit, bench.unitOf(record));
    assert.equal(facts?.parentPid, 1);
    assert.equal(facts?.sessionId, outcome.process.pid);
  },
);

onSystemd("properties of the record are those of the unit, a list as several assignments", async (bench) => {
  const properties = { CPUWeight: ["50"], DeviceAllow: ["/dev/null rw", "/dev/zero r"], DevicePolicy: ["closed"] };
  const record = bench.record(["/bin/sleep", "600"], { properties });
  assert.equal((await launcher.launch({ record, incarnation: 1 })).kind, "launched");
  const shown = execFileSync("systemctl", ["show", bench.unitOf(record)], { encoding: "utf8" });
  for (const line of ["CPUWeight=50", "DeviceAllow=/dev/null rw", "DeviceAllow=/dev/zero r", "DevicePolicy=closed"]) {
    assert.ok(shown.includes(`\n${line}\n`), line);
  }
  assert.match(shown, /\nSlice=metald-vms\.slice\n/);
  assert.match(shown, /\nBefore=.*metald\.service/);
});

onSystemd("a property that systemd does not know refuses the launch by name", async (bench) => {
  const record = bench.record(["/bin/sleep", "600"], { properties: { Nonesuch: ["1"] } });
  const outcome = await launcher.launch({ record, incarnation: 1 });
  assert.ok(outcome.kind === "refused", JSON.stringify(outcome));
  assert.match(outcome.error, /Nonesuch/);
});

onSystemd("a user that does not exist refuses the launch, and the next one is not in its way", async (bench) => {
  const record = bench.record(["/bin/sleep", "600"], { user: "nobody-at-all" });
  const outcome = await launcher.launch({ record, incarnation: 1 });
  assert.ok(outcome.kind === "refused", JSON.stringify(outcome));
  assert.match(outcome.error, /217/);
  const mended = { ...record, launch: processRecord(record.id, ["/bin/sleep", "600"]).launch };
  assert.equal((await launcher.launch({ record: mended, incarnation: 2 })).kind, "launched");
});

for (const code of [0, 7]) {
  onSystemd(`a VM that ended with code ${code} can be launched again, and tells its code until then`, async (bench) => {
    const record = bench.record(["/bin/sh", "-c", `exit ${code}`]);
    for (const incarnation of [1, 2]) {
      const outcome = await launcher.launch({ record, incarnation });
      assert.ok(outcome.kind === "launched", JSON.stringify(outcome));
      await eventually(async () => (await launcher.inspect(record)).kind === "idle");
      assert.deepEqual(await launcher.exitOf(record, outcome.process), { code, signal: undefined });
    }
  });
}

onSystemd("a VM that runs is busy, and is not launched a second time", async (bench) => {
  const record = bench.record(["/bin/sleep", "600"]);
  const first = await launcher.launch({ record, incarnation: 1 });
  assert.ok(first.kind === "launched");
  assert.equal((await launcher.inspect(record)).kind, "busy");
  const second = await launcher.launch({ record, incarnation: 2 });
  assert.ok(second.kind === "refused", JSON.stringify(second));
  assert.match(second.error, /active \(running\)/);
  assert.equal((await table.inspect(first.process)).kind, "alive");
});

onSystemd("a unit that is gone tells no exit code, though systemd calls it a success", async (bench) => {
  const record = bench.record(["/bin/sleep", "600"]);
  const outcome = await launcher.launch({ record, incarnation: 1 });
  assert.ok(outcome.kind === "launched");
  removeUnit(bench.unitOf(record));
  assert.equal(await launcher.exitOf(record, outcome.process), undefined);
});

onSystemd(
  "a unit of somebody else is started, started again when its program has ended, and stopped",
  async (bench) => {
    const name = `vm-unit-${randomUUID()}.service`;
    const file = `/run/systemd/system/${name}`;
    writeFileSync(file, "[Service]\nExecStart=/bin/sleep 600\nRestart=always\n");
    try {
      execFileSync("systemctl", ["daemon-reload"]);
      const record = { ...bench.record([]), launch: { kind: "unit" as const, unit: name } };
      const outcome = await launcher.launch({ record, incarnation: 1 });
      assert.ok(outcome.kind === "launched", JSON.stringify(outcome));
      assert.equal((await table.describe(outcome.process))?.unit, name);
      assert.deepEqual(await launcher.stopUnit(name), { kind: "stopped" });
      assert.equal((await table.inspect(outcome.process)).kind, "dead");
      assert.deepEqual(await launcher.inspect(record), { kind: "idle" });
      assert.equal((await launcher.launch({ record, incarnation: 2 })).kind, "launched");
    } finally {
      removeUnit(name);
      rmSync(file, { force: true });
      execFileSync("systemctl", ["daemon-reload"]);
    }
  },
);

onSystemd("a unit that does not exist refuses the launch by name", async (bench) => {
  const record = { ...bench.record([]), launch: { kind: "unit" as const, unit: "metald-nonesuch.service" } };
  const outcome = await launcher.launch({ record, incarnation: 1 });
  assert.ok(outcome.kind === "refused", JSON.stringify(outcome));
  assert.match(outcome.error, /metald-nonesuch/);
});

onSystemd(
  "a unit that a record names by an alias is neither started nor stopped, and its own name is said",
  async (bench) => {
    const name = `vm-unit-${randomUUID()}.service`;
    const alias = `vm-alias-${randomUUID()}.service`;
    const file = `/run/systemd/system/${name}`;
    const link = `/run/systemd/system/${alias}`;
    writeFileSync(file, "[Service]\nExecStart=/bin/sleep 600\n");
    symlinkSync(file, link);
    try {
      execFileSync("systemctl", ["daemon-reload"]);
      const record = (unit: string) => ({ ...bench.record([]), launch: { kind: "unit" as const, unit } });
      const outcome = await launcher.launch({ record: record(alias), incarnation: 1 });
      assert.ok(outcome.kind === "refused", JSON.stringify(outcome));
      assert.ok(outcome.error.includes(`an alias of ${name}`), outcome.error);
      assert.equal((await launcher.launch({ record: record(name), incarnation: 1 })).kind, "launched");
      assert.equal((await launcher.inspect(record(alias))).kind, "unknown");
      assert.equal((await launcher.stopUnit(alias)).kind, "failed");
      assert.equal((await launcher.inspect(record(name))).kind, "busy");
    } finally {
      removeUnit(name);
      for (const path of [link, file]) rmSync(path, { force: true });
      execFileSync("systemctl", ["daemon-reload"]);
    }
  },
);
