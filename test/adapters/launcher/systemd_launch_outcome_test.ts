/**
 * What a launch through systemd came to when the answers are late, missing or refusals. Programs stand in for
 * `systemctl` and `systemd-run`, since a real manager does not hang on request.
 * @module
 */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createSystemdLauncher } from "../../../src/adapters/launcher/systemd_launcher.ts";
import { readBootId } from "../../../src/adapters/process/boot_id.ts";
import { createServiceManager, type ServiceManager } from "../../../src/adapters/systemd/manager.ts";
import type { LaunchOutcome, UnitStop } from "../../../src/ports/launcher.ts";
import { processRecord } from "./vm_record.ts";

const NOT_FOUND = { LoadState: "not-found", ActiveState: "inactive", SubState: "dead" };
const FAILED = { LoadState: "loaded", ActiveState: "failed", SubState: "failed", Result: "exit-code" };
const RUNNING = { LoadState: "loaded", ActiveState: "active", SubState: "running" };

interface World {
  /** Of the unit, at every question. */
  readonly shown: Readonly<Record<string, string>> | undefined;
  /** A shell's words. */
  readonly systemdRun: string;
}

interface Launched {
  readonly outcome: LaunchOutcome;
  /** How often `systemd-run` was called. */
  readonly runs: number;
}

const OPTIONS = { agentCommand: ["/bin/true"], shutdownTimeoutMs: () => 1_000, startTimeoutMs: 300 };

interface Programs {
  readonly shown: World["shown"];
  /** Shell's words. */
  readonly systemctl?: string;
  readonly systemdRun?: string;
}

/** `calls` are those of `systemd-run`. */
async function withManager<T>(
  { shown, systemctl = "", systemdRun = "" }: Programs,
  use: (manager: ServiceManager, calls: () => readonly string[]) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "metald-launch-outcome-"));
  const program = (name: string, script: string) => {
    const path = join(directory, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return path;
  };
  try {
    const answer =
      shown && Object.entries({ Job: "", MainPID: "0", ...shown }).map(([name, value]) => `${name}=${value}`);
    const show = answer === undefined ? "exit 1" : `cat <<'ANSWER'\n${answer.join("\n")}\nANSWER`;
    const calls = join(directory, "calls");
    writeFileSync(calls, "");
    const manager = createServiceManager({
      systemctl: program("systemctl", `case $1 in show) ${show}\n;; esac\n${systemctl}`),
      systemdRun: program("systemd-run", `echo run >>${calls}; ${systemdRun}`),
    });
    return await use(manager, () => readFileSync(calls, "utf8").split("\n").slice(0, -1));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function launch(world: World): Promise<Launched> {
  return await withManager(world, async (manager, calls) => {
    const record = processRecord("vm-1", ["/bin/vmm"]);
    const outcome = await createSystemdLauncher({ ...OPTIONS, manager }).launch({ record, incarnation: 7 });
    return { outcome, runs: calls().length };
  });
}

const HANGS = "exec sleep 5";
const says = (text: string) => `echo '${text}' >&2; exit 1`;

const CASES: readonly (readonly [string, World, LaunchOutcome["kind"], RegExp])[] = [
  [
    "a call that times out and left no unit may still arrive",
    { shown: NOT_FOUND, systemdRun: HANGS },
    "unknown",
    /not-found: the service manager did not answer in time/,
  ],
  [
    "a call that times out and left a job may still start the VM",
    { shown: { ...NOT_FOUND, Job: "12" }, systemdRun: HANGS },
    "unknown",
    /a job is queued/,
  ],
  [
    "a call that times out and left a unit that failed has started nothing",
    { shown: { ...FAILED, ExecMainCode: "1", ExecMainStatus: "203" }, systemdRun: HANGS },
    "refused",
    /failed: exit code 203/,
  ],
  [
    "a process that runs after a failed call is not of this launch unless it says so",
    { shown: { ...RUNNING, MainPID: String(process.pid) }, systemdRun: HANGS },
    "unknown",
    /active \(running\)/,
  ],
  ["a manager that nobody can ask leaves all open", { shown: undefined, systemdRun: HANGS }, "unknown", /Cannot read/],
  [
    "what systemd refuses is refused in its words",
    { shown: NOT_FOUND, systemdRun: says("Failed to start transient service unit: Transaction is destructive.") },
    "refused",
    /^Failed to start transient service unit: Transaction is destructive\.$/,
  ],
  [
    "a connection that broke off is no refusal",
    { shown: NOT_FOUND, systemdRun: says("Failed to start transient service unit: Connection reset by peer") },
    "unknown",
    /Connection reset by peer/,
  ],
  [
    "a call that went well without a trace of a unit is not believed",
    { shown: NOT_FOUND, systemdRun: "exit 0" },
    "unknown",
    /not-found/,
  ],
];

for (const [rule, world, kind, pattern] of CASES) {
  test(rule, async () => {
    const { outcome, runs } = await launch(world);
    assert.ok(outcome.kind === kind && outcome.kind !== "launched", JSON.stringify(outcome));
    assert.match(outcome.error, pattern);
    assert.equal(runs, 1);
  });
}

test("a unit of the same name that still runs is left alone, and said", async () => {
  const taken = says("Failed to start transient service unit: Unit x was already loaded or has a fragment file.");
  const { outcome, runs } = await launch({ shown: RUNNING, systemdRun: taken });
  assert.ok(outcome.kind === "refused", JSON.stringify(outcome));
  assert.match(outcome.error, /must be idle: metald-vm-vm-1\.service is active \(running\)/);
  assert.equal(runs, 1);
});

test("a program that ended at once has been launched, and its exit is there to be read", async () => {
  const shown = { ...FAILED, ExecMainPID: "4000", ExecMainCode: "1", ExecMainStatus: "3" };
  const { outcome } = await launch({ shown, systemdRun: "exit 1" });
  assert.ok(outcome.kind === "launched", JSON.stringify(outcome));
  assert.equal(outcome.process.pid, 4000);
});

const HANGING_STOP = "case $2 in stop) exec sleep 5;; esac";

const STOPS: readonly (readonly [string, Readonly<Record<string, string>>, UnitStop["kind"]])[] = [
  ["is still ending", { LoadState: "loaded", ActiveState: "deactivating", SubState: "stop" }, "failed"],
  ["has a stop queued", { ...NOT_FOUND, LoadState: "loaded", Job: "7" }, "failed"],
  ["runs nothing any more", NOT_FOUND, "stopped"],
];

for (const [what, shown, kind] of STOPS) {
  test(`a unit that ${what} when its stop has taken too long is ${kind}`, async () => {
    await withManager({ shown, systemctl: HANGING_STOP }, async (manager) => {
      const launcher = createSystemdLauncher({ ...OPTIONS, manager, stopTimeoutMs: 200 });
      const stop = await launcher.stopUnit("vm.service");
      assert.equal(stop.kind, kind);
      if (stop.kind === "failed") assert.match(stop.error, /did not answer in time/);
    });
  });
}

const ENDED = { ...FAILED, ExecMainPID: "4000", ExecMainCode: "1", ExecMainStatus: "3" };

for (const [which, startTicks, exit] of [
  ["a process is told by its pid and its start", 391_410, { code: 3, signal: undefined }],
  ["a process that had the same pid before is another", 91_410, undefined],
  ["a process that had the same pid later is another", 391_500, undefined],
] as const) {
  test(`how ${which}`, async () => {
    const shown = { ...ENDED, ExecMainStartTimestampMonotonic: "3914156648" };
    await withManager({ shown }, async (manager) => {
      const launcher = createSystemdLauncher({ ...OPTIONS, manager });
      const identity = { bootId: readBootId(), pid: 4000, startTicks };
      assert.deepEqual(await launcher.exitOf(processRecord("vm-1", ["/bin/vmm"]), identity), exit);
    });
  });
}
