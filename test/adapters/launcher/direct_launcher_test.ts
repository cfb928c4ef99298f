/**
 * The direct launcher on this host: its contract, and what a VM inherits from the agent and what it does not.
 * @module
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createSystemClock } from "../../../src/adapters/clock/system_clock.ts";
import { createDirectLauncher } from "../../../src/adapters/launcher/direct_launcher.ts";
import { loadPidfds } from "../../../src/adapters/process/pidfd.ts";
import { createProcessTable } from "../../../src/adapters/process/process_table.ts";
import type { ProcessIdentity } from "../../../src/domain/process.ts";
import type { VmRecord } from "../../../src/domain/vm_record.ts";
import type { Launcher } from "../../../src/ports/launcher.ts";
import type { ProcessTable } from "../../../src/ports/process_table.ts";
import { launcherContract, type ProgramBehaviour } from "../../contract/launcher_contract.ts";
import { eventually, identityOf } from "../process/host_processes.ts";
import { processRecord } from "./vm_record.ts";

const table = createProcessTable({ clock: createSystemClock(), pidfds: await loadPidfds() });
const needsRoot = process.getuid?.() === 0 ? false : "needs root";

interface Bench {
  readonly stateDir: string;
  /** A launcher that remembers what it launched, so that all of it ends with the test. */
  readonly launcher: Launcher;
  readonly table: ProcessTable;
  launch(record: VmRecord): Promise<ProcessIdentity>;
  consoleOf(id: string): string;
  dispose(): Promise<void>;
}

function createBench(): Bench {
  const stateDir = mkdtempSync(join(tmpdir(), "metald-launcher-"));
  const direct = createDirectLauncher({ stateDir });
  const launched: ProcessIdentity[] = [];
  const launcher: Launcher = {
    ...direct,
    async launch(request) {
      const outcome = await direct.launch(request);
      if (outcome.kind === "launched") launched.push(outcome.process);
      return outcome;
    },
  };
  return {
    stateDir,
    launcher,
    table,
    async launch(record) {
      const outcome = await launcher.launch({ record, incarnation: 5 });
      assert.ok(outcome.kind === "launched", JSON.stringify(outcome));
      return outcome.process;
    },
    consoleOf: (id) => readFileSync(join(stateDir, "console", `${id}.log`), "utf8"),
    async dispose() {
      for (const identity of launched) {
        await table.signal(identity, "SIGKILL");
        await eventually(() => identityOf(identity.pid)?.startTicks !== identity.startTicks);
      }
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

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

launcherContract("direct launcher", async () => {
  const bench = createBench();
  return { ...bench, recordOf: (behaviour) => processRecord(`vm-${randomUUID()}`, argvOf(behaviour)), eventually };
});

function onHost(
  rule: string,
  options: { readonly skip?: string | false },
  check: (bench: Bench) => Promise<void>,
): void {
  test(rule, { skip: options.skip ?? false }, async () => {
    const bench = createBench();
    try {
      await check(bench);
    } finally {
      await bench.dispose();
    }
  });
}

onHost("launch gives a clean environment, and no record can claim another VM's marks", {}, async (bench) => {
  const env = { GREETING: "two words", METALD_VM_ID: "somebody-else" };
  const record = processRecord("vm-env", ["/usr/bin/env", "-0"], { env });
  await bench.launch(record);
  await eventually(() => bench.consoleOf(record.id).includes("LANG="));
  const lines = bench
    .consoleOf(record.id)
    .split("\0")
    .filter((line) => line !== "");
  const variables = new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
  const names = [
    "GREETING",
    "HOME",
    "LANG",
    "LOGNAME",
    "METALD_INCARNATION",
    "METALD_LAUNCH_HASH",
    "METALD_VM_ID",
    "PATH",
  ];
  assert.deepEqual([...variables.keys()].sort(), [...names, "USER"]);
  assert.equal(variables.get("METALD_VM_ID"), record.id);
  assert.equal(variables.get("METALD_LAUNCH_HASH"), record.launchHash);
  assert.equal(variables.get("METALD_INCARNATION"), "5");
  assert.equal(variables.get("GREETING"), "two words");
});

onHost("launch starts in a session of its own, in the directory of the record", {}, async (bench) => {
  const record = processRecord("vm-session", ["/bin/sh", "-c", "pwd; exec sleep 600"], { cwd: bench.stateDir });
  const identity = await bench.launch(record);
  await eventually(() => bench.consoleOf(record.id) === `${bench.stateDir}\n`);
  assert.equal((await table.describe(identity))?.sessionId, identity.pid);
});

onHost("launch runs as the record's user, with the groups of that user", { skip: needsRoot }, async (bench) => {
  const record = processRecord("vm-user", ["/bin/sh", "-c", "id -un; id -gn; echo $HOME; exec sleep 600"], {
    user: "nobody",
  });
  const identity = await bench.launch(record);
  await eventually(() => bench.consoleOf(record.id).split("\n").length > 3);
  assert.equal(bench.consoleOf(record.id), "nobody\nnogroup\n/nonexistent\n");
  const facts = await table.describe(identity);
  assert.equal(facts?.uid, 65534);
  assert.equal(facts?.exe, "sleep");
});

onHost(
  "the record's variables reach its program, and nothing that root runs before",
  { skip: needsRoot },
  async (bench) => {
    const env = { LD_PRELOAD: "/nonexistent/library.so", GREETING: "two words" };
    const record = processRecord("vm-preload", ["/bin/sh", "-c", 'echo "$GREETING"; exec sleep 600'], {
      user: "nobody",
      env,
    });
    const identity = await bench.launch(record);
    await eventually(async () => (await table.describe(identity))?.exe === "sleep");
    // The loader complains in the output of each program that it loads with the variable: sh and sleep.
    const lines = bench.consoleOf(record.id).split("\n");
    assert.equal(lines.filter((line) => line.includes("cannot be preloaded")).length, 2, lines.join("\n"));
    assert.ok(lines.includes("two words"));
  },
);

onHost("launch says in a sentence why it refuses, with the name of what is wrong", {}, async (bench) => {
  const notExecutable = join(bench.stateDir, "plain");
  writeFileSync(notExecutable, "");
  const cases: readonly [record: VmRecord, error: RegExp][] = [
    [processRecord("vm-a", ["/nonexistent/vmm"]), /^Cannot start \/nonexistent\/vmm .* it is missing$/],
    [processRecord("vm-b", [notExecutable]), /it is not executable$/],
    [processRecord("vm-c", ["/tmp"]), /it is not a file$/],
    [processRecord("vm-d", ["sleep", "1"]), /^Cannot start sleep as the program must be an absolute path$/],
    [processRecord("vm-e", ["/bin/sleep", "1"], { cwd: "/nonexistent" }), /\/nonexistent is missing$/],
    [processRecord("vm-f", ["/bin/sleep", "1"], { user: "no-such-user" }), /current value is "no-such-user"$/],
    [
      { ...processRecord("vm-g", []), launch: { kind: "unit", unit: "vm@g.service" } },
      /^Cannot start unit vm@g.service as this needs the systemd launcher$/,
    ],
  ];
  for (const [record, error] of cases) {
    const outcome = await bench.launcher.launch({ record, incarnation: 1 });
    assert.ok(outcome.kind === "refused", JSON.stringify(outcome));
    assert.match(outcome.error, error);
  }
});

const runsFormless = "Deno" in globalThis ? "Deno hands a program without a format to sh" : false;
onHost("launch says of a script without #! what it lacks", { skip: runsFormless }, async (bench) => {
  const script = join(bench.stateDir, "script");
  writeFileSync(script, "sleep 1\n", { mode: 0o755 });
  const outcome = await bench.launcher.launch({ record: processRecord("vm-a", [script]), incarnation: 1 });
  assert.ok(outcome.kind === "refused", JSON.stringify(outcome));
  assert.match(outcome.error, /format the kernel knows; a script must begin with #!$/);
});

onHost("launch keeps the output of the run before beside that of this one", {}, async (bench) => {
  const run = async (word: string) => {
    const identity = await bench.launch(processRecord("vm-runs", ["/bin/sh", "-c", `echo ${word}`]));
    await eventually(async () => (await table.inspect(identity)).kind === "dead");
  };
  await run("first");
  await run("second");
  assert.equal(bench.consoleOf("vm-runs"), "second\n");
  assert.equal(readFileSync(join(bench.stateDir, "console", "vm-runs.log.1"), "utf8"), "first\n");
});

onHost("two launches of one VM at a time are one launch", {}, async (bench) => {
  const record = processRecord("vm-twice", ["/bin/sleep", "600"]);
  const first = bench.launcher.launch({ record, incarnation: 1 });
  assert.equal((await bench.launcher.inspect(record)).kind, "busy");
  assert.equal((await bench.launcher.launch({ record, incarnation: 1 })).kind, "unknown");
  assert.equal((await first).kind, "launched");
  assert.equal((await bench.launcher.inspect(record)).kind, "idle");
});

onHost("exitOf of a living process does not wait for its end", {}, async (bench) => {
  const record = processRecord("vm-lives", ["/bin/sleep", "600"]);
  const identity = await bench.launch(record);
  assert.equal(await bench.launcher.exitOf(record, identity), undefined);
});

onHost("a VM outlives kill -9 of its agent, and has none of the agent's files", {}, async (bench) => {
  const kept = join(bench.stateDir, "lock");
  writeFileSync(kept, "");
  const script = fileURLToPath(new URL("./launch_and_wait.ts", import.meta.url));
  const runtimeArguments = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const argv = ["/bin/sh", "-c", "ls -l /proc/self/fd; exec sleep 600"];
  const agent = spawn(process.execPath, [...runtimeArguments, script, bench.stateDir, kept, ...argv], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  agent.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  try {
    await eventually(() => said.endsWith("\n"));
    const identity = identityOf(Number(said));
    assert.ok(identity !== undefined, said);
    try {
      agent.kill("SIGKILL");
      await eventually(() => agent.signalCode !== null);
      await eventually(async () => (await table.describe(identity))?.exe === "sleep");
      assert.ok(!bench.consoleOf("vm-orphan").includes(kept), bench.consoleOf("vm-orphan"));
    } finally {
      await table.signal(identity, "SIGKILL");
    }
  } finally {
    agent.kill("SIGKILL");
  }
});
