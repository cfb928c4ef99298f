import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createInstanceLock, lockDirectory } from "../../../src/adapters/state/instance_lock.ts";
import type { LockOutcome } from "../../../src/ports/instance_lock.ts";
import { withDirectory } from "../../config/temporary_directory.ts";
import { instanceLockContract } from "../../contract/instance_lock_contract.ts";
import { waitFor } from "../../host/wait.ts";
import { tool } from "../../tool/root.ts";

const UID = process.geteuid?.() ?? 0;
const HOLDER = fileURLToPath(new URL("lock_holder.ts", import.meta.url));
const RUNTIMES = { bun: [tool("bun"), HOLDER], deno: [tool("deno"), "run", "-A", "--no-check", HOLDER] } as const;

function acquire(directory: string, registry = "vms"): Promise<LockOutcome> {
  const options = { registryPath: join(directory, registry), directory: join(directory, "locks"), uid: UID };
  return createInstanceLock(options).acquire();
}

instanceLockContract("instance lock", async () => {
  const directory = mkdtempSync(join(tmpdir(), "metald-lock-"));
  mkdirSync(join(directory, "vms"), { mode: 0o700 });
  mkdirSync(join(directory, "other"), { mode: 0o700 });
  return {
    another: () => ({ acquire: () => acquire(directory) }),
    elsewhere: () => ({ acquire: () => acquire(directory, "other") }),
    async dispose() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
});

/** Starts the program in a runtime, and resolves with its first line. */
async function startHolder(runtime: keyof typeof RUNTIMES, directory: string): Promise<[ChildProcess, string]> {
  const [program, ...args] = RUNTIMES[runtime];
  const child = spawn(program, [...args, join(directory, "vms"), join(directory, "locks")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) return [child, line];
  throw new Error("the holder ended without a word");
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

for (const runtime of ["bun", "deno"] as const) {
  test(`an agent under ${runtime} that is killed leaves the lock free, although its child lives on`, () =>
    withDirectory(async (directory) => {
      mkdirSync(join(directory, "vms"), { mode: 0o700 });
      const [holder, line] = await startHolder(runtime, directory);
      const childPid = Number(/^held (\d+)$/.exec(line)?.[1]);
      try {
        assert.ok(childPid > 0, line);
        const refused = await acquire(directory);
        assert.ok(refused.kind === "held_by_another");
        assert.ok(refused.detail.includes(`process ${holder.pid} holds`), refused.detail);
        await end(holder);
        process.kill(childPid, 0);
        const outcome = await waitFor("the lock", async () => {
          const tried = await acquire(directory);
          return tried.kind === "acquired" && tried;
        });
        outcome.release();
      } finally {
        await end(holder);
        if (childPid > 0) process.kill(childPid, "SIGKILL");
      }
    }));
}

test("agents under different runtimes exclude each other", () =>
  withDirectory(async (directory) => {
    mkdirSync(join(directory, "vms"), { mode: 0o700 });
    const mine = await acquire(directory);
    assert.ok(mine.kind === "acquired");
    for (const runtime of ["bun", "deno"] as const) {
      const [other, line] = await startHolder(runtime, directory);
      await end(other);
      assert.equal(line, "held_by_another", runtime);
    }
    mine.release();
  }));

test("the lock does not depend on the path by which the registry is reached", () =>
  withDirectory(async (directory) => {
    mkdirSync(join(directory, "vms"), { mode: 0o700 });
    symlinkSync("vms", join(directory, "alias"));
    const first = await acquire(directory);
    assert.ok(first.kind === "acquired");
    assert.equal((await acquire(directory, "alias")).kind, "held_by_another");
    first.release();
  }));

test("the lock outlives the directory it was taken for, so that a registry made anew gets no second agent", () =>
  withDirectory(async (directory) => {
    const first = await acquire(directory);
    assert.ok(first.kind === "acquired");
    mkdirSync(join(directory, "vms"), { mode: 0o700 });
    assert.equal((await acquire(directory)).kind, "held_by_another");
    renameSync(join(directory, "vms"), join(directory, "moved"));
    mkdirSync(join(directory, "vms"), { mode: 0o700 });
    assert.equal((await acquire(directory)).kind, "held_by_another");
    first.release();
  }));

test("a lock whose file was taken away is held no more, whoever made it anew, and a released one neither", () =>
  withDirectory(async (directory) => {
    mkdirSync(join(directory, "vms"), { mode: 0o700 });
    const lock = await acquire(directory);
    assert.ok(lock.kind === "acquired");
    assert.ok(lock.isHeld());
    rmSync(join(directory, "locks"), { recursive: true });
    assert.ok(!lock.isHeld());
    const other = await acquire(directory);
    assert.ok(other.kind === "acquired" && other.isHeld());
    assert.ok(!lock.isHeld());
    other.release();
    assert.ok(!other.isHeld());
    lock.release();
  }));

test("a released lock leaves no file, and its directory is the agent's alone", () =>
  withDirectory(async (directory) => {
    mkdirSync(join(directory, "vms"), { mode: 0o700 });
    const outcome = await acquire(directory);
    assert.ok(outcome.kind === "acquired");
    outcome.release();
    assert.deepEqual(readdirSync(directory), ["vms"]);
  }));

test("a directory of locks that others can write to is refused, as they could take the name first", () =>
  withDirectory(async (directory) => {
    mkdirSync(join(directory, "vms"), { mode: 0o700 });
    mkdirSync(join(directory, "locks"));
    chmodSync(join(directory, "locks"), 0o777);
    const outcome = await acquire(directory);
    assert.ok(outcome.kind === "unavailable");
    assert.match(outcome.error, /locks as group and others must not be able to write to it/);
  }));

test(
  "a directory of locks that is another user's, or that a link of his leads to, is refused",
  {
    skip: UID !== 0 && "needs root",
  },
  () =>
    withDirectory(async (directory) => {
      mkdirSync(join(directory, "vms"), { mode: 0o700 });
      mkdirSync(join(directory, "locks"), { mode: 0o700 });
      chownSync(join(directory, "locks"), 4242, 4242);
      const foreign = await acquire(directory);
      assert.ok(foreign.kind === "unavailable");
      assert.match(foreign.error, /locks as it must belong to root: current value is uid 4242/);
      rmSync(join(directory, "locks"), { recursive: true });
      mkdirSync(join(directory, "elsewhere"), { mode: 0o700 });
      symlinkSync("elsewhere", join(directory, "locks"));
      lchownSync(join(directory, "locks"), 4242, 4242);
      const linked = await acquire(directory);
      assert.ok(linked.kind === "unavailable");
      assert.match(linked.error, /locks as it must belong to root: current value is uid 4242/);
      assert.deepEqual(readdirSync(join(directory, "elsewhere")), []);
    }),
);

test("lockDirectory gives root one place on the host, and each other user one of his own", () => {
  assert.equal(lockDirectory(0, "/run/user/0"), "/run/metald-lock");
  assert.equal(lockDirectory(1000, "/run/user/1000"), "/run/user/1000/metald-lock");
  assert.equal(lockDirectory(1000, undefined), "/tmp/metald-lock-1000");
});
