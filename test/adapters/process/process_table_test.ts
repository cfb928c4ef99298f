/**
 * The process table on this host's `/proc`: its contract, and what only a real kernel shows.
 * @module
 */

import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createSystemClock } from "../../../src/adapters/clock/system_clock.ts";
import { loadPidfds } from "../../../src/adapters/process/pidfd.ts";
import { createProcessTable } from "../../../src/adapters/process/process_table.ts";
import { type ProcessFacts, type ProcessIdentity, sameProcess } from "../../../src/domain/process.ts";
import type { ProcessTable } from "../../../src/ports/process_table.ts";
import { processTableContract, type VmMarks } from "../../contract/process_table_contract.ts";
import { createHostProcesses, eventually, type HostProcesses, identityOf } from "./host_processes.ts";
import { compileOddProcess, type OddProgram, withoutCompiler } from "./odd_process.ts";

const clock = createSystemClock();
const pidfds = await loadPidfds();

const SLEEP = "/bin/sleep";

function environmentOf({ vmId, launchHash, incarnation }: VmMarks): Record<string, string> {
  return { METALD_VM_ID: vmId, METALD_LAUNCH_HASH: launchHash, METALD_INCARNATION: String(incarnation) };
}

for (const [name, handles] of [
  ["process table with pidfds", pidfds],
  ["process table without pidfds", undefined],
] as const) {
  processTableContract(name, async () => {
    const processes = createHostProcesses();
    let odd: OddProgram | undefined;
    return {
      table: createProcessTable({ clock, pidfds: handles }),
      start: (marks) => processes.start([SLEEP, "600"], environmentOf(marks)),
      end: processes.end,
      ...(withoutCompiler === false && {
        startZombieLeader(marks: VmMarks) {
          odd = compileOddProcess();
          return processes.startReady([odd.path, "zombie-leader"], environmentOf(marks));
        },
      }),
      eventually,
      async dispose() {
        await processes.dispose();
        odd?.dispose();
      },
    };
  });
}

interface Bench {
  readonly table: ProcessTable;
  readonly processes: HostProcesses;
  readonly directory: string;
}

function onHost(
  rule: string,
  options: { readonly skip?: string | false },
  check: (bench: Bench) => Promise<void>,
): void {
  test(rule, { skip: options.skip ?? false }, async () => {
    const processes = createHostProcesses();
    const directory = mkdtempSync(join(tmpdir(), "metald-table-"));
    try {
      await check({ table: createProcessTable({ clock, pidfds }), processes, directory });
    } finally {
      await processes.dispose();
      rmSync(directory, { recursive: true, force: true });
    }
  });
}

async function scannedFacts(table: ProcessTable, identity: ProcessIdentity): Promise<ProcessFacts | undefined> {
  const scan = await table.scan();
  assert.ok(scan.kind === "scanned", JSON.stringify(scan));
  return scan.processes.find((each) => sameProcess(each.identity, identity));
}

onHost("scan is not misled by a name with spaces and parentheses", {}, async ({ table, processes, directory }) => {
  const program = join(directory, "a) Z 1 (b");
  copyFileSync(SLEEP, program);
  const identity = await processes.start([program, "600"]);
  const facts = await scannedFacts(table, identity);
  assert.equal(facts?.exe, "a) Z 1 (b");
  assert.equal(facts?.parentPid, process.pid);
  assert.deepEqual(facts?.argv, [program, "600"]);
});

onHost("scan names the executable after its file was replaced", {}, async ({ table, processes, directory }) => {
  const program = join(directory, "vmm");
  copyFileSync(SLEEP, program);
  const identity = await processes.start([program, "600"]);
  rmSync(program);
  assert.equal((await scannedFacts(table, identity))?.exe, "vmm");
});

onHost("scan keeps empty arguments and those with line breaks apart", {}, async ({ table, processes }) => {
  const argv = ["/bin/sh", "-c", "echo ready; while :; do read -r line </dev/zero; done", "", "two\nlines", ""];
  const identity = await processes.startReady(argv);
  assert.deepEqual((await scannedFacts(table, identity))?.argv, argv);
});

onHost("scan finds a mark behind a long environment", {}, async ({ table, processes }) => {
  const filler = Object.fromEntries(
    Array.from({ length: 12 }, (_, index) => [`FILLER_${index}`, `${"x".repeat(100_000)}METALD_VM_ID=decoy`]),
  );
  const identity = await processes.start([SLEEP, "600"], {
    ...filler,
    NOT_METALD_VM_ID: "decoy",
    METALD_VM_ID: "vm-1",
  });
  assert.equal((await scannedFacts(table, identity))?.vmId, "vm-1");
});

onHost("scan notices that a process has become another program", {}, async ({ table, processes, directory }) => {
  const go = join(directory, "go");
  const script = `echo ready; until [ -e ${go} ]; do sleep 0.01; done; METALD_VM_ID=after exec ${SLEEP} 600`;
  const identity = await processes.startReady(["/bin/sh", "-c", script], { METALD_VM_ID: "before" });
  assert.equal((await scannedFacts(table, identity))?.vmId, "before");
  writeFileSync(go, "");
  await eventually(async () => (await scannedFacts(table, identity))?.vmId === "after");
  assert.equal((await scannedFacts(table, identity))?.exe, "sleep");
});

onHost(
  "scan tells the real user of a process, although /proc shows root for one that may not be dumped",
  { skip: process.getuid?.() === 0 ? false : "needs root" },
  async ({ table, processes }) => {
    const become = ["/usr/bin/setpriv", "--reuid", "65534", "--clear-groups", "--", "/bin/sh", "-c"];
    const identity = await processes.startReady([...become, "echo ready; exec sleep 600"]);
    assert.equal((await scannedFacts(table, identity))?.uid, 65534);
  },
);

onHost("scan of a table that hides processes is unknown, since an absent process proves nothing", {}, async (bench) => {
  const { directory } = bench;
  mkdirSync(join(directory, "4242"));
  const table = createProcessTable({ clock, pidfds, procPath: directory });
  const scan = await table.scan();
  assert.ok(scan.kind === "unknown");
  assert.match(scan.error, /process 1 is not in it/);
});

onHost("scan with a process that cannot be read is unknown", {}, async ({ directory }) => {
  mkdirSync(join(directory, "1"));
  writeFileSync(join(directory, "1", "stat"), "1 (init) nonsense");
  const table = createProcessTable({ clock, pidfds, procPath: directory });
  assert.equal((await table.scan()).kind, "unknown");
});

test("scan of a table that cannot be listed is unknown", async () => {
  const table = createProcessTable({ clock, pidfds, procPath: "/nonexistent" });
  assert.equal((await table.scan()).kind, "unknown");
});

test("scan began after the call, on the clock of the agent", async () => {
  const before = clock.monotonic();
  const scan = await createProcessTable({ clock, pidfds }).scan();
  assert.ok(scan.kind === "scanned" && scan.startedAt >= before && scan.startedAt <= clock.monotonic());
});

test("signal refuses pids that name groups, process 1, and the agent itself", async () => {
  const table = createProcessTable({ clock, pidfds });
  const own = identityOf(process.pid);
  assert.ok(own !== undefined);
  for (const pid of [process.pid, 1, 0, -1, -own.pid, Number.NaN, 1.5]) {
    assert.equal((await table.signal({ ...own, pid }, "SIGKILL")).kind, "unknown", String(pid));
  }
});

onHost("sleepsIn names where a process waits, and nothing for one that is gone", {}, async ({ table, processes }) => {
  const identity = await processes.start([SLEEP, "600"]);
  await eventually(async () => {
    const inspection = await table.inspect(identity);
    return inspection.kind === "alive" && inspection.state === "S";
  });
  assert.match((await table.sleepsIn(identity)) ?? "hidden", /^\w+/);
  await processes.end(identity);
  assert.equal(await table.sleepsIn(identity), undefined);
});

onHost("inspect shows a stopped process as alive", {}, async ({ table, processes }) => {
  const identity = await processes.start([SLEEP, "600"]);
  process.kill(identity.pid, "SIGSTOP");
  await eventually(async () => {
    const inspection = await table.inspect(identity);
    return inspection.kind === "alive" && inspection.state === "T";
  });
});

onHost("scan reads a process in an uninterruptible wait", { skip: withoutCompiler }, async ({ table, processes }) => {
  const odd = compileOddProcess();
  let identity: ProcessIdentity | undefined;
  try {
    const waiting = await processes.startReady([odd.path, "waiting"], { METALD_VM_ID: "vm-waiting" });
    identity = waiting;
    await eventually(async () => {
      const inspection = await table.inspect(waiting);
      return inspection.kind === "alive" && inspection.state === "D";
    });
    const facts = await scannedFacts(createProcessTable({ clock, pidfds }), waiting);
    assert.equal(facts?.state, "D");
    assert.equal(facts?.vmId, "vm-waiting");
  } finally {
    const scan = await table.scan();
    assert.ok(scan.kind === "scanned");
    for (const each of scan.processes) {
      if (each.parentPid === identity?.pid) process.kill(each.identity.pid, "SIGKILL");
    }
    odd.dispose();
  }
});
