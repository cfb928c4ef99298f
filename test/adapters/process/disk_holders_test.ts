/**
 * Disk holders on this host: their contract, and the ways in which a real process can hold a file unseen.
 * @module
 */

import assert from "node:assert/strict";
import { linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createDiskHolders } from "../../../src/adapters/process/disk_holders.ts";
import { diskHoldersContract } from "../../contract/disk_holders_contract.ts";
import { createHostProcesses, type HostProcesses } from "./host_processes.ts";
import { compileOddProcess, withoutCompiler } from "./odd_process.ts";

const diskHolders = createDiskHolders();
const TIMEOUT_MS = 10_000;

interface Bench {
  readonly processes: HostProcesses;
  readonly directory: string;
  makeDisk(): string;
  hold(path: string, redirection: string): ReturnType<HostProcesses["startReady"]>;
  dispose(): Promise<void>;
}

function createBench(): Bench {
  const processes = createHostProcesses();
  const directory = mkdtempSync(join(tmpdir(), "metald-disk-"));
  let disks = 0;
  return {
    processes,
    directory,
    makeDisk() {
      disks += 1;
      const path = join(directory, `disk ${disks}.ext4`);
      writeFileSync(path, "disk");
      return path;
    },
    hold: (path, redirection) =>
      processes.startReady(["/bin/sh", "-c", `exec 7${redirection}"$0"; echo ready; exec /bin/sleep 600`, path]),
    async dispose() {
      await processes.dispose();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

test("two paths to one disk share a key, and two disks share none", async () => {
  const bench = createBench();
  try {
    const disk = bench.makeDisk();
    const link = join(bench.directory, "link");
    symlinkSync(disk, link);
    const disks = [disk, link, bench.makeDisk()].map((path) => ({ path, shared: path === link }));
    const examination = await diskHolders.examine(disks, TIMEOUT_MS);
    assert.ok(examination.kind === "examined", JSON.stringify(examination));
    const [first, second, third] = examination.disks.map(({ keys }) => new Set(keys));
    assert.ok(first !== undefined && first.size > 0);
    assert.deepEqual(second, first);
    assert.ok([...(third ?? [])].every((key) => !first.has(key)));
  } finally {
    await bench.dispose();
  }
});

diskHoldersContract("disk holders", async () => {
  const bench = createBench();
  return {
    diskHolders,
    makeDisk: async () => bench.makeDisk(),
    missingPath: () => join(bench.directory, "missing"),
    async hold(path, access) {
      const identity = await bench.hold(path, access === "read" ? "<" : "<>");
      return { pid: identity.pid, close: () => bench.processes.end(identity) };
    },
    dispose: bench.dispose,
  };
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

async function holdersOf(path: string): Promise<readonly (readonly [pid: number, exe: string])[]> {
  const examination = await diskHolders.examine([{ path, shared: false }], TIMEOUT_MS);
  assert.ok(examination.kind === "examined", JSON.stringify(examination));
  return examination.holders.map(({ pid, exe }) => [pid, exe] as const);
}

onHost("examine knows a disk by every name it has", {}, async ({ makeDisk, directory, hold }) => {
  const disk = makeDisk();
  const [hardLink, link] = [join(directory, "hard"), join(directory, "link")];
  linkSync(disk, hardLink);
  symlinkSync(disk, link);
  const holder = await hold(hardLink, ">>");
  for (const name of [disk, hardLink, link]) assert.deepEqual(await holdersOf(name), [[holder.pid, "sleep"]], name);
});

onHost("examine of a new file at an old path does not find the holder of the old one", {}, async (bench) => {
  const disk = bench.makeDisk();
  await bench.hold(disk, "<>");
  rmSync(disk);
  writeFileSync(disk, "another disk");
  assert.deepEqual(await holdersOf(disk), []);
});

onHost(
  "examine asks the tasks of a zombie leader, whose own table is empty",
  { skip: withoutCompiler },
  async (bench) => {
    const odd = compileOddProcess();
    try {
      const disk = bench.makeDisk();
      const holder = await bench.processes.startReady([odd.path, "zombie-leader", disk]);
      assert.deepEqual(
        (await holdersOf(disk)).map(([pid]) => pid),
        [holder.pid],
      );
    } finally {
      odd.dispose();
    }
  },
);

onHost("examine asks a task that has a table of its own", { skip: withoutCompiler }, async (bench) => {
  const odd = compileOddProcess();
  try {
    const disk = bench.makeDisk();
    const holder = await bench.processes.startReady([odd.path, "private-table", disk]);
    assert.deepEqual(
      (await holdersOf(disk)).map(([pid]) => pid),
      [holder.pid],
    );
  } finally {
    odd.dispose();
  }
});

onHost("examine names the disk that cannot be examined", {}, async ({ makeDisk }) => {
  const [disk, odd] = [makeDisk(), join(makeDisk(), "beneath-a-file")];
  const disks = [disk, odd].map((path) => ({ path, shared: false }));
  const examination = await diskHolders.examine(disks, TIMEOUT_MS);
  assert.deepEqual(examination, { kind: "unavailable", path: odd, error: "it does not exist" });
});
