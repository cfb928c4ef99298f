/**
 * Direct hooks on this host: their contract, what escapes of them, and what is not removed in root's name.
 * @module
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createSystemClock } from "../../../src/adapters/clock/system_clock.ts";
import { createDirectHooks } from "../../../src/adapters/launcher/direct_hooks.ts";
import { createProcessTable } from "../../../src/adapters/process/process_table.ts";
import { type HookBehaviour, hooksContract } from "../../contract/hooks_contract.ts";
import { eventually } from "../process/host_processes.ts";

const hooks = createDirectHooks();
const table = createProcessTable({ clock: createSystemClock(), pidfds: undefined });
const needsRoot = process.getuid?.() === 0 ? false : "needs root";

interface Bench {
  readonly directory: string;
  /** In the arguments of every process of this bench. */
  readonly mark: string;
  script(text: string): readonly string[];
  living(): Promise<readonly number[]>;
  placeSocket(): Promise<string>;
  dispose(): Promise<void>;
}

function createBench(): Bench {
  const directory = mkdtempSync(join(tmpdir(), "metald-hooks-"));
  const mark = randomUUID();
  const servers: Server[] = [];
  const living = async () => {
    const scan = await table.scan();
    assert.ok(scan.kind === "scanned");
    return scan.processes.filter((each) => each.argv.includes(mark)).map((each) => each.identity.pid);
  };
  return {
    directory,
    mark,
    script: (text) => ["/bin/sh", "-c", text, mark],
    living,
    async placeSocket() {
      const path = join(directory, `${servers.length}.sock`);
      const server = createServer().listen(path);
      servers.push(server);
      await eventually(() => existsSync(path));
      return path;
    },
    async dispose() {
      for (const pid of await living()) process.kill(pid, "SIGKILL");
      for (const server of servers) server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function argvOf(bench: Bench, behaviour: HookBehaviour): readonly string[] {
  switch (behaviour.kind) {
    case "succeeds":
      return bench.script("exit 0");
    case "fails":
      return bench.script(`echo first line; echo ${behaviour.complaint} >&2; exit 4`);
    case "hangs":
      return bench.script('while :; do sleep 1; done & while :; do sleep 1; done; echo "$0"');
    default:
      return ["/nonexistent/hook"];
  }
}

hooksContract("direct hooks", async () => {
  const bench = createBench();
  let placed = 0;
  return {
    hooks,
    argvOf: (behaviour) => argvOf(bench, behaviour),
    async place(kind) {
      placed += 1;
      const path = join(bench.directory, `${kind}-${placed}`);
      if (kind === "socket") return await bench.placeSocket();
      if (kind === "directory") mkdirSync(path);
      if (kind === "link") symlinkSync(await makeFile(`${path}-target`), path);
      return kind === "file" ? await makeFile(path) : path;
    },
    exists: async (path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined,
    livingHooks: async () => (await bench.living()).length,
    dispose: bench.dispose,
  };
});

async function makeFile(path: string): Promise<string> {
  writeFileSync(path, "left over");
  return path;
}

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

const run = (argv: readonly string[], timeoutMs = 10_000) =>
  hooks.run({ vmId: "vm-hooked", hook: "after_stop", argv, timeoutMs });

onHost("a hook knows its VM, and is not taken for a process of it", {}, async ({ directory, script }) => {
  const file = join(directory, "environment");
  assert.deepEqual(await run(script(`env > ${file}`)), { kind: "done" });
  const environment = readFileSync(file, "utf8");
  assert.match(environment, /^METALD_HOOK_VM=vm-hooked$/m);
  assert.doesNotMatch(environment, /METALD_VM_ID/);
});

onHost("at the deadline a process that left the session of the hook ends too", {}, async ({ script, living }) => {
  const left = "setsid sh -c 'while :; do sleep 1; done' \"$0\" &";
  const outcome = await run(script(`${left} ${left} while :; do sleep 1; done; echo "$0"`), 300);
  assert.ok(outcome.kind === "failed");
  assert.match(outcome.error, /did not end within 300 ms/);
  assert.deepEqual(await living(), []);
});

onHost("at the deadline a process that cleared its environment ends too", {}, async ({ script, living }) => {
  const cleared = "env -i /bin/sh -c 'while :; do /bin/sleep 1; done' \"$0\" &";
  assert.equal((await run(script(`${cleared} while :; do sleep 1; done; echo "$0"`), 300)).kind, "failed");
  assert.deepEqual(await living(), []);
});

onHost("a hook that ends in time is done although what it started goes on", {}, async ({ script, living }) => {
  assert.deepEqual(await run(script("sh -c 'while :; do sleep 1; done' \"$0\" & exit 0")), { kind: "done" });
  assert.equal((await living()).length, 1);
});

onHost("a hook that says a lot is not stopped by that, and its last words are kept", {}, async ({ script }) => {
  const outcome = await run(script("head -c 20000000 /dev/zero | tr '\\0' x; printf '\\nthe\\tend\\n'; exit 9"));
  assert.ok(outcome.kind === "failed");
  assert.match(outcome.error, /^\/bin\/sh ended with exit code 9: .* the end$/);
  assert.ok(outcome.error.length < 1000);
});

onHost("removeLeftovers refuses paths that are not plain and absolute", {}, async ({ directory }) => {
  const file = await makeFile(join(directory, "file"));
  for (const path of ["file", `${directory}/../${directory}/file`, `${directory}//file`, `${file}/`, ""]) {
    assert.equal((await hooks.removeLeftovers([path])).kind, "failed", path);
  }
  assert.ok(existsSync(file));
});

onHost("removeLeftovers refuses a named pipe", {}, async ({ directory }) => {
  const path = join(directory, "fifo");
  execFileSync("mkfifo", [path]);
  assert.equal((await hooks.removeLeftovers([path])).kind, "failed");
});

onHost("removeLeftovers goes through links of root or of the agent, absolute or not", {}, async ({ directory }) => {
  mkdirSync(join(directory, "real"));
  symlinkSync(join(directory, "real"), join(directory, "absolute"));
  symlinkSync("./absolute/../real", join(directory, "relative"));
  for (const link of ["absolute", "relative"]) {
    const file = await makeFile(join(directory, "real", "file"));
    assert.deepEqual(await hooks.removeLeftovers([join(directory, link, "file")]), { kind: "done" });
    assert.ok(!existsSync(file));
  }
});

onHost("removeLeftovers goes through no link of another user", { skip: needsRoot }, async ({ directory }) => {
  mkdirSync(join(directory, "etc"));
  const file = await makeFile(join(directory, "etc", "passwd"));
  const link = join(directory, "vm");
  symlinkSync(join(directory, "etc"), link);
  lchownSync(link, 65534, 65534);
  const outcome = await hooks.removeLeftovers([join(link, "passwd")]);
  assert.ok(outcome.kind === "failed");
  assert.match(outcome.error, /current value is "vm"$/);
  assert.ok(existsSync(file));
});

onHost("removeLeftovers ends at links that lead in a circle", {}, async ({ directory }) => {
  symlinkSync(join(directory, "b"), join(directory, "a"));
  symlinkSync(join(directory, "a"), join(directory, "b"));
  assert.equal((await hooks.removeLeftovers([join(directory, "a", "file")])).kind, "failed");
});
