/**
 * The program as the shell meets it: what it prints, and how it ends.
 * @module
 */

import assert from "node:assert/strict";
import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { lockDirectory } from "../src/adapters/state/instance_lock.ts";
import { withDirectory } from "./config/temporary_directory.ts";
import { freeLock } from "./host/free_lock.ts";
import { waitFor } from "./host/wait.ts";
import { ROOT } from "./tool/root.ts";

const MAIN = join(ROOT, "src/main.ts");
/** The runtime that runs this test runs the program too. */
const ARGS = "deno" in process.versions ? ["run", "-A", "--no-check", MAIN] : [MAIN];

function environment(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { METALD_CONFIG: _config, JOURNAL_STREAM: _journal, ...env } = process.env;
  return { ...env, ...more };
}

function metald(args: readonly string[], env: Readonly<Record<string, string>> = {}): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [...ARGS, ...args], { encoding: "utf8", env: environment(env) });
}

interface Agent {
  readonly send: (signal: NodeJS.Signals) => void;
  readonly child: ChildProcess;
  readonly text: () => string;
  readonly said: (words: string) => Promise<true>;
  readonly ended: Promise<readonly unknown[]>;
}

/** Runs the agent while `use` uses it, and ends it however that ends. */
async function withAgent(configPath: string, use: (agent: Agent) => Promise<void>): Promise<void> {
  const child = spawn(process.execPath, [...ARGS, "run", "--config", configPath], {
    stdio: ["ignore", "pipe", "pipe"],
    env: environment({}),
  });
  let text = "";
  const add = (bytes: Buffer): void => {
    text += bytes.toString();
  };
  child.stdout.on("data", add);
  child.stderr.on("data", add);
  const ended = once(child, "exit");
  const said = (words: string): Promise<true> =>
    waitFor(
      words,
      () => text.includes(words),
      () => text,
    );
  // Not `child.kill`: under Deno it sends one signal in a child's life, and calls it what ended the child.
  const send = (signal: NodeJS.Signals): void => {
    if (child.pid !== undefined) process.kill(child.pid, signal);
  };
  try {
    await use({ child, send, text: () => text, said, ended });
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await ended;
    }
    await freeLock(join(dirname(configPath), "vms"));
  }
}

/** A configuration whose places all lie in `directory`, with an empty registry. */
function writeConfiguration(directory: string, more: object = {}): string {
  mkdirSync(join(directory, "vms"), { recursive: true, mode: 0o700 });
  const path = join(directory, "config.jsonc");
  const places = {
    registry: { path: join(directory, "vms") },
    state_dir: join(directory, "run"),
    durable_dir: join(directory, "state"),
  };
  writeFileSync(path, JSON.stringify({ ...places, ...more }), { mode: 0o600 });
  return path;
}

test("version and help go to stdout and end with 0", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const word of ["version", "--version"]) {
    const { status, stdout, stderr } = metald([word]);
    assert.deepEqual([status, stdout, stderr], [0, `metald ${version}\n`, ""]);
  }
  const help = metald(["--help"]);
  assert.equal(help.status, 0);
  assert.match(help.stdout, /metald run .*--config FILE/);
});

test("wrong use ends with 64 and one sentence on stderr", () => {
  const { status, stdout, stderr } = metald(["fly"]);
  assert.deepEqual([status, stdout], [64, ""]);
  assert.match(stderr, /^metald: Cannot use this command line as [^\n]*: current value is "fly"[^\n]*\n$/);
});

test("config check and run name every error of a configuration and end with 78", () =>
  withDirectory((directory) => {
    const path = writeConfiguration(directory, { health_check: { interval: "30" }, recovery: { max_retrys: 3 } });
    for (const words of [["config", "check"], ["config", "show"], ["run"]]) {
      const { status, stdout, stderr } = metald([...words, "--config", path]);
      assert.deepEqual([status, stdout], [78, ""], stderr);
      const lines = stderr.trimEnd().split("\n");
      assert.equal(lines.length, 2, stderr);
      for (const line of lines) assert.ok(line.startsWith(`metald: ${path}: Cannot use `), line);
    }
  }));

test("config check and run refuse, by key and place, directories of the agent's own that others can write to", () =>
  withDirectory((directory) => {
    const path = writeConfiguration(directory);
    for (const name of ["run", "state"]) {
      mkdirSync(join(directory, name));
      chmodSync(join(directory, name), 0o777);
    }
    for (const words of [["config", "check"], ["run"]]) {
      const { status, stdout, stderr } = metald([...words, "--config", path]);
      assert.deepEqual([status, stdout], [78, ""], stderr);
      const rule = "as group and others must not be able to write to it: current value is mode 0777";
      const lines = ["state_dir: Cannot trust DIR/run", "durable_dir: Cannot trust DIR/state"].map(
        (text) => `metald: ${path}: ${text.replace("DIR", directory)} ${rule}\n`,
      );
      assert.equal(stderr, lines.join(""));
    }
  }));

test("METALD_CONFIG names the configuration, and a file that is not there is an error by name", () =>
  withDirectory((directory) => {
    const path = writeConfiguration(directory);
    assert.equal(metald(["config", "check"], { METALD_CONFIG: path }).stdout, `${path}: valid\n`);
    const missing = metald(["config", "check"], { METALD_CONFIG: join(directory, "missing") });
    assert.equal(missing.status, 78);
    assert.ok(missing.stderr.includes(join(directory, "missing")), missing.stderr);
  }));

test("config show prints a configuration that is valid and means the same", () =>
  withDirectory((directory) => {
    const path = writeConfiguration(directory, { health_check: { interval: "1s" } });
    const shown = metald(["config", "show", "--config", path]);
    assert.equal(shown.status, 0);
    assert.equal(JSON.parse(shown.stdout).health_check.timeout, "1s");
    writeFileSync(path, shown.stdout);
    assert.equal(metald(["config", "show", "--config", path]).stdout, shown.stdout);
  }));

test("a configuration that others can write to is refused by name with 78", () =>
  withDirectory((directory) => {
    const path = writeConfiguration(directory);
    chmodSync(path, 0o646);
    const { status, stderr } = metald(["run", "--config", path]);
    assert.equal(status, 78);
    assert.ok(stderr.includes(path) && stderr.includes("mode 0646"), stderr);
  }));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`run stops on ${signal} with 0 and frees the registry`, () =>
    withDirectory(async (directory) => {
      const path = writeConfiguration(directory);
      for (let round = 0; round < 2; round += 1) {
        await withAgent(path, async ({ send, said, ended, text }) => {
          await said("reliability subsystem started");
          send(signal);
          assert.deepEqual(await ended, [0, null], text());
          assert.ok(text().includes("stopping reliability subsystem"));
        });
      }
    }));
}

test("a second agent on the same registry ends with 75, whatever its other places are, and the first runs on", () =>
  withDirectory(async (directory) => {
    const path = writeConfiguration(directory);
    await withAgent(path, async ({ said, child }) => {
      await said("reliability subsystem started");
      const other = join(directory, "other.jsonc");
      const places = { state_dir: join(directory, "run2"), durable_dir: join(directory, "state2") };
      writeFileSync(other, JSON.stringify({ registry: { path: join(directory, "vms") }, ...places }), { mode: 0o600 });
      const { status, stdout, stderr } = metald(["run", "--config", other]);
      assert.deepEqual([status, stdout], [75, ""], stderr);
      assert.ok(stderr.includes(`process ${child.pid} holds`) && stderr.includes(join(directory, "vms")), stderr);
      assert.equal(child.exitCode, null);
    });
  }));

test("a second agent touches nothing of the first: a reload is answered, and consoles are not cut", () =>
  withDirectory(async (directory) => {
    const path = writeConfiguration(directory);
    await withAgent(path, async ({ said, child }) => {
      await said("reliability subsystem started");
      const reload = () => metald(["reload"], { MAINPID: String(child.pid) });
      assert.deepEqual([reload().status, reload().stdout], [0, "nothing has changed\n"]);
      const outcome = join(
        lockDirectory(process.geteuid?.() ?? 0, process.env["XDG_RUNTIME_DIR"]),
        `reload-${child.pid}.json`,
      );
      const before = readFileSync(outcome, "utf8");
      const other = join(directory, "other.jsonc");
      const places = { state_dir: join(directory, "run2"), durable_dir: join(directory, "state2") };
      writeFileSync(other, JSON.stringify({ registry: { path: join(directory, "vms") }, ...places }), { mode: 0o600 });
      mkdirSync(join(directory, "run2/console"), { recursive: true, mode: 0o700 });
      writeFileSync(join(directory, "run2/console/vm-1.log"), "x".repeat(3_000_000));
      const { status, stderr } = metald(["run", "--config", other], { NOTIFY_SOCKET: join(directory, "notify") });
      assert.equal(status, 75, stderr);
      assert.deepEqual(readdirSync(join(directory, "run2")), ["console"]);
      assert.deepEqual(readdirSync(join(directory, "run2/console")), ["vm-1.log"]);
      assert.equal(statSync(join(directory, "run2/console/vm-1.log")).size, 3_000_000);
      assert.equal(readFileSync(outcome, "utf8"), before);
      const again = reload();
      assert.deepEqual([again.status, again.stdout], [0, "nothing has changed\n"], again.stderr);
    });
  }));

test("SIGHUP reloads the configuration, names what needs a restart, and keeps the old one when the new one is bad", () =>
  withDirectory(async (directory) => {
    const path = writeConfiguration(directory);
    await withAgent(path, async ({ child, send, said }) => {
      await said("reliability subsystem started");
      writeConfiguration(directory, { recovery: { max_retries: 9 }, state_dir: join(directory, "elsewhere") });
      send("SIGHUP");
      await said('msg="configuration reloaded"');
      await said("recovery.max_retries,state_dir (needs a restart)");
      writeConfiguration(directory, { recovery: { max_retries: 0 } });
      send("SIGHUP");
      await said('msg="configuration rejected"');
      await said("Cannot use recovery.max_retries as it must be a whole number from 1 to 1000: current value is 0");
      assert.equal(child.exitCode, null);
      assert.ok(!readdirSync(directory).includes("elsewhere"));
    });
  }));

test("SIGUSR2 logs the state of every VM", () =>
  withDirectory(async (directory) => {
    const path = writeConfiguration(directory);
    const record = { id: "vm-1", state: "stopped", vmm: "process", launch: { argv: ["/bin/sleep", "600"] } };
    writeFileSync(join(directory, "vms/vm-1.json"), JSON.stringify(record), { mode: 0o600 });
    await withAgent(path, async ({ send, said }) => {
      await said("reliability subsystem started");
      send("SIGUSR2");
      await said('msg="vm state" component=reliability vm_id=vm-1 desired=stopped');
    });
  }));

test("a registry that does not exist yet is reported, and the agent stays up until it does", () =>
  withDirectory(async (directory) => {
    const missing = join(directory, "later");
    const path = writeConfiguration(directory, { registry: { path: missing } });
    await withAgent(path, async ({ said, child }) => {
      await said('msg="registry unreadable"');
      mkdirSync(missing, { mode: 0o700 });
      const record = { id: "vm-1", state: "stopped", vmm: "process", launch: { argv: ["/bin/sleep", "600"] } };
      writeFileSync(join(missing, "vm-1.json"), JSON.stringify(record), { mode: 0o600 });
      await said('msg="vm created" component=vm_lifecycle vm_id=vm-1');
      assert.equal(child.exitCode, null);
    });
  }));
