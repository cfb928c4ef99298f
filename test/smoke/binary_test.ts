/**
 * The compiled binary as an operator meets it. Needs `npm run build`.
 * @module
 */

import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { Agent } from "../demo/agent.ts";
import { endProcess, markedProcesses } from "../demo/marked_processes.ts";
import { freeLock } from "../host/free_lock.ts";
import { listeningSockets } from "../host/listening_sockets.ts";
import { ROOT } from "../tool/root.ts";

const BINARY = join(ROOT, "dist/metald");
const MARK = "SMOKE_DIRECTORY";
const LINE_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 10_000;

function metald(args: readonly string[], cwd = ROOT): SpawnSyncReturns<string> {
  return spawnSync(BINARY, args, { cwd, encoding: "utf8", timeout: LINE_TIMEOUT_MS });
}

async function inDirectory(use: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "metald-smoke-"));
  try {
    await use(directory);
  } finally {
    for (let left = markedProcesses(MARK, directory); left.length > 0; left = markedProcesses(MARK, directory)) {
      left.forEach(endProcess);
    }
    await freeLock(join(directory, "vms"));
    rmSync(directory, { recursive: true, force: true });
  }
}

function writeConfiguration(directory: string, more: object = {}): string {
  const path = join(directory, "config.jsonc");
  const places = {
    registry: { type: "directory", path: join(directory, "vms") },
    state_dir: join(directory, "run"),
    durable_dir: join(directory, "state"),
    launcher: "direct",
  };
  writeFileSync(path, JSON.stringify({ ...places, ...more }), { mode: 0o600 });
  return path;
}

/** A VM that is a plain process, and that is found again by a mark. */
function writeRecord(directory: string, id: string): void {
  mkdirSync(join(directory, "vms"), { recursive: true, mode: 0o700 });
  const launch = { argv: ["/bin/sleep", "86400"], env: { [MARK]: directory } };
  const record = { id, state: "running", vmm: "process", launch };
  writeFileSync(join(directory, "vms", `${id}.json`), JSON.stringify(record), { mode: 0o600 });
}

test("metald version names the version of package.json", () => {
  const { status, stdout } = metald(["version"]);
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert.equal(status, 0);
  assert.ok(stdout.includes(version), stdout);
});

test("metald help names its commands, and what it does not know is exit code 64", () => {
  const help = metald(["help"]);
  assert.equal(help.status, 0);
  for (const command of ["run", "config check", "config show", "version"])
    assert.ok(help.stdout.includes(command), command);
  assert.equal(metald(["no-such-command"]).status, 64);
});

test("metald config check names every faulty key at once, with exit code 78", async () => {
  await inDirectory((directory) => {
    const path = writeConfiguration(directory, { health_check: { interval: "30" }, recovery: { max_retrys: 3 } });
    const { status, stdout, stderr } = metald(["config", "check", "--config", path]);
    assert.equal(status, 78, stdout + stderr);
    for (const word of [path, "health_check.interval", "max_retrys"]) assert.ok((stdout + stderr).includes(word), word);
    assert.equal(metald(["run", "--config", path]).status, 78);
  });
});

test("metald config check takes a configuration that sets nothing but places", async () => {
  await inDirectory((directory) => {
    const { status, stdout, stderr } = metald(["config", "check", "--config", writeConfiguration(directory)]);
    assert.equal(status, 0, stdout + stderr);
  });
});

test("the binary loads nothing from the directory in which it runs, as that would be somebody's code run as root", async () => {
  await inDirectory((directory) => {
    const trace = join(directory, "trace");
    writeFileSync(join(directory, "preload.ts"), `require("node:fs").writeFileSync(${JSON.stringify(trace)}, "");`);
    writeFileSync(join(directory, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
    writeFileSync(join(directory, ".env"), "METALD_CONFIG=/nonexistent\n");
    writeFileSync(join(directory, "package.json"), '{"type": "commonjs"}');
    writeFileSync(join(directory, "tsconfig.json"), "{ not JSON");
    assert.equal(metald(["version"], directory).status, 0);
    assert.ok(!readdirSync(directory).includes("trace"));
  });
});

test("metald run starts a VM, brings it back when it is killed, opens no port, and leaves it running when it ends", async () => {
  await inDirectory(async (directory) => {
    writeRecord(directory, "smoke-1");
    const configPath = writeConfiguration(directory);
    const agent = new Agent(BINARY, configPath, () => {});
    try {
      const deadline = AbortSignal.timeout(LINE_TIMEOUT_MS);
      await agent.line("vm started", "smoke-1", deadline);
      const [first, ...more] = markedProcesses(MARK, directory);
      assert.ok(first !== undefined);
      assert.deepEqual(more, []);

      const second = metald(["run", "--config", configPath]);
      assert.equal(second.status, 75, second.stdout + second.stderr);

      endProcess(first);
      const detected = await agent.line("orphaned vm detected", "smoke-1", deadline);
      assert.equal(detected.fields.get("reason"), "process_dead");
      await agent.line("vm recovery successful", "smoke-1", deadline);
      assert.equal(markedProcesses(MARK, directory).length, 1);
      assert.deepEqual(listeningSockets(agent.pid ?? 0), []);
      assert.equal(await agent.stop(STOP_TIMEOUT_MS), "exit code 0");
      assert.equal(markedProcesses(MARK, directory).length, 1);
    } finally {
      await agent.stop(STOP_TIMEOUT_MS);
    }
  });
});

test("an agent that was killed finds its VM again and starts no second one", async () => {
  await inDirectory(async (directory) => {
    writeRecord(directory, "smoke-1");
    const configPath = writeConfiguration(directory);
    const first = new Agent(BINARY, configPath, () => {});
    try {
      await first.line("vm started", "smoke-1", AbortSignal.timeout(LINE_TIMEOUT_MS));
    } finally {
      process.kill(first.pid ?? 0, "SIGKILL");
      await first.stop(STOP_TIMEOUT_MS);
    }
    const before = markedProcesses(MARK, directory);
    const second = new Agent(BINARY, configPath, () => {});
    try {
      await second.line("vm adopted", "smoke-1", AbortSignal.timeout(LINE_TIMEOUT_MS));
      assert.deepEqual(markedProcesses(MARK, directory), before);
    } finally {
      await second.stop(STOP_TIMEOUT_MS);
    }
  });
});
