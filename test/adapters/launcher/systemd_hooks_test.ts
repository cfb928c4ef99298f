/**
 * Hooks in units of their own, on a host with systemd: their contract, and where they run.
 * @module
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import {
  existsSync,
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
import { createSystemdHooks } from "../../../src/adapters/launcher/systemd_hooks.ts";
import { createProcessTable } from "../../../src/adapters/process/process_table.ts";
import { createServiceManager } from "../../../src/adapters/systemd/manager.ts";
import { type HookBehaviour, hooksContract } from "../../contract/hooks_contract.ts";
import { eventually } from "../process/host_processes.ts";
import { manager, needsSystemd } from "./systemd_bench.ts";

const hooks = createSystemdHooks({ manager, agentCommand: ["/bin/false"] });
const table = createProcessTable({ clock: createSystemClock(), pidfds: undefined });

interface Bench {
  readonly directory: string;
  script(text: string): readonly string[];
  living(): Promise<readonly number[]>;
  place(kind: "file" | "socket" | "directory" | "link"): Promise<string>;
  dispose(): Promise<void>;
}

function createBench(): Bench {
  const directory = mkdtempSync(join(tmpdir(), "metald-systemd-hooks-"));
  // In the arguments of every process of this bench.
  const mark = randomUUID();
  const servers: Server[] = [];
  let placed = 0;
  const living = async () => {
    const scan = await table.scan();
    assert.ok(scan.kind === "scanned");
    return scan.processes.filter((each) => each.argv.includes(mark)).map((each) => each.identity.pid);
  };
  return {
    directory,
    script: (text) => ["/bin/sh", "-c", text, mark],
    living,
    async place(kind) {
      placed += 1;
      const path = join(directory, `${kind}-${placed}`);
      if (kind === "socket") {
        servers.push(createServer().listen(path));
        await eventually(() => existsSync(path));
      } else if (kind === "directory") mkdirSync(path);
      else if (kind === "file") writeFileSync(path, "");
      else symlinkSync("/etc/hostname", path);
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

if (needsSystemd === false) {
  hooksContract("systemd hooks", async () => {
    const bench = createBench();
    return {
      hooks,
      argvOf: (behaviour) => argvOf(bench, behaviour),
      place: bench.place,
      exists: async (path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined,
      livingHooks: async () => (await bench.living()).length,
      dispose: bench.dispose,
    };
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

onSystemd("a hook runs in a unit of its own, with the mark of a hook and not that of a VM", async (bench) => {
  const file = join(bench.directory, "seen");
  const argv = bench.script(`cat /proc/self/cgroup >${file}; env >>${file}`);
  assert.deepEqual(await hooks.run({ vmId: "vm-h", hook: "before_start", argv, timeoutMs: 10_000 }), { kind: "done" });
  const seen = readFileSync(file, "utf8");
  assert.match(seen, /\/metald-hook-vm-h-[0-9a-f]{8}\.service\n/);
  assert.match(seen, /\nMETALD_HOOK_VM=vm-h\n/);
  assert.doesNotMatch(seen, /METALD_VM_ID|NOTIFY_SOCKET|WATCHDOG_USEC/);
});

onSystemd("what a hook leaves running when it ends in time lives on", async (bench) => {
  const argv = bench.script("sh -c 'while :; do sleep 1; done' \"$0\" & exit 0");
  assert.deepEqual(await hooks.run({ vmId: "vm-h", hook: "before_start", argv, timeoutMs: 10_000 }), { kind: "done" });
  assert.notEqual((await bench.living()).length, 0);
});

/**
 * Stands in for a manager that has not yet taken the order when it is first asked: from the second look on there is a
 * unit, until it is stopped.
 */
const LATE_UNIT = `#!/bin/sh
cd "$(dirname "$0")"
case "$1 $2" in
show*)
  echo >>looks
  if [ "$(wc -l <looks)" -gt 1 ] && ! [ -e stopped ]; then echo "LoadState=loaded
ActiveState=activating
SubState=start"; else echo "LoadState=not-found
ActiveState=inactive"; fi ;;
*stop) if [ "$(wc -l <looks)" -gt 1 ]; then : >stopped; fi ;;
esac
`;

test("a look that finds no unit is no proof that none is on its way", async () => {
  const directory = mkdtempSync(join(tmpdir(), "metald-late-unit-"));
  try {
    const program = (name: string, text: string) => {
      const path = join(directory, name);
      writeFileSync(path, text, { mode: 0o755 });
      return path;
    };
    writeFileSync(join(directory, "looks"), "");
    const standIn = createServiceManager({
      systemctl: program("systemctl", LATE_UNIT),
      systemdRun: program("systemd-run", "#!/bin/sh\nexec sleep 5\n"),
    });
    const late = createSystemdHooks({ manager: standIn, agentCommand: ["/bin/false"] });
    const outcome = await late.run({ vmId: "vm-h", hook: "before_start", argv: ["/bin/hook"], timeoutMs: 100 });
    assert.ok(outcome.kind === "failed");
    assert.match(outcome.error, /^\/bin\/hook did not end within 100 ms and was killed/);
    assert.equal(existsSync(join(directory, "stopped")), true);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a hook that cannot be proven to have ended is not said to have", async () => {
  const directory = mkdtempSync(join(tmpdir(), "metald-stuck-unit-"));
  try {
    const standIn = join(directory, "program");
    writeFileSync(standIn, '#!/bin/sh\ncase "$1 $2" in show*) exit 1;; *--quiet) exec sleep 5;; esac\n', {
      mode: 0o755,
    });
    const stuck = createSystemdHooks({
      manager: createServiceManager({ systemctl: standIn, systemdRun: standIn }),
      agentCommand: ["/bin/false"],
      endedWithinMs: 300,
    });
    const outcome = await stuck.run({ vmId: "vm-h", hook: "before_start", argv: ["/bin/hook"], timeoutMs: 100 });
    assert.ok(outcome.kind === "failed");
    assert.match(outcome.error, /^\/bin\/hook did not end within 100 ms, and may run on/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
