/**
 * @module
 */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { createStatusFile, readStatusFile, statusPath } from "../../../src/adapters/status/status_file.ts";
import { wallMs } from "../../../src/domain/time.ts";
import type { HostStatus } from "../../../src/ports/status_board.ts";
import { eventually } from "../process/host_processes.ts";

const AGENT = { bootId: "boot", pid: 71, startTicks: 900 };
const STATUS: HostStatus = {
  version: "1.2.3",
  launcher: "direct",
  at: wallMs(1_700_000_000_000),
  enabled: true,
  registryUnreadable: undefined,
  brakeEngaged: false,
  refusedRecords: { count: 7, first: [{ id: undefined, path: "/v/.x", error: "no id" }] },
  unmatchedHolds: { count: 1, first: [{ vmId: "vm-9", reason: "moving" }] },
  vms: [
    {
      id: "vm-1",
      desired: "running",
      phase: "blocked",
      vmm: "qemu",
      process: { bootId: "boot", pid: 102, startTicks: 4711 },
      since: wallMs(1_600_000_000_000),
      held: true,
      heldBecause: "moving",
      consecutiveFailures: 3,
      attempts: 2,
      nextAttemptAt: wallMs(1_800_000_000_000),
      blockedReason: "state_unwritable",
      why: "no space",
    },
  ],
};

async function inDirectory(check: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "metald-status-"));
  try {
    await check(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

test("what is published is read as it was, with the agent that published it", async () => {
  await inDirectory(async (directory) => {
    const stateDir = join(directory, "made", "anew");
    createStatusFile({ stateDir, agent: AGENT }).publish(STATUS);
    await eventually(async () => (await readStatusFile(stateDir)).kind === "read");
    assert.deepEqual(await readStatusFile(stateDir), { kind: "read", status: STATUS, agent: AGENT });
    assert.deepEqual(readdirSync(stateDir), ["status.json"]);
  });
});

test("of many that are published at once the last one stays", async () => {
  await inDirectory(async (stateDir) => {
    const board = createStatusFile({ stateDir, agent: AGENT });
    for (let turn = 1; turn <= 1000; turn += 1) board.publish({ ...STATUS, version: String(turn) });
    const isLast = () => readFileSync(statusPath(stateDir), "utf8").includes('"version":"1000"');
    await eventually(async () => (await readStatusFile(stateDir)).kind === "read" && isLast());
    assert.deepEqual(readdirSync(stateDir), ["status.json"]);
  });
});

test("a directory that cannot be written to throws nothing, and the next status is tried again", async () => {
  await inDirectory(async (directory) => {
    const stateDir = join(directory, "state");
    writeFileSync(stateDir, "in the way");
    const board = createStatusFile({ stateDir, agent: AGENT });
    board.publish(STATUS);
    await eventually(() => readdirSync(directory).length === 1);
    rmSync(stateDir);
    await eventually(async () => {
      board.publish(STATUS);
      return (await readStatusFile(stateDir)).kind === "read";
    });
  });
});

test("a file that is absent, broken or of another format is told apart", async () => {
  await inDirectory(async (stateDir) => {
    assert.deepEqual(await readStatusFile(stateDir), { kind: "absent", path: join(stateDir, "status.json") });
    for (const text of ["", "{", '{"format":1}', JSON.stringify({ format: 2, ...STATUS })]) {
      writeFileSync(statusPath(stateDir), text);
      assert.equal((await readStatusFile(stateDir)).kind, "unreadable", text);
    }
  });
});

test("what an older version does not say of refused records and unmatched holds is nothing", async () => {
  await inDirectory(async (stateDir) => {
    const { refusedRecords: _refused, unmatchedHolds: _unmatched, ...older } = STATUS;
    writeFileSync(statusPath(stateDir), JSON.stringify({ format: 1, ...older }));
    const none = { count: 0, first: [] };
    const status = { ...older, refusedRecords: none, unmatchedHolds: none };
    assert.deepEqual(await readStatusFile(stateDir), { kind: "read", status, agent: undefined });
  });
});

test("keys that a newer version adds are ignored", async () => {
  await inDirectory(async (stateDir) => {
    writeFileSync(statusPath(stateDir), JSON.stringify({ format: 1, weather: "fine", ...STATUS }));
    assert.deepEqual(await readStatusFile(stateDir), { kind: "read", status: STATUS, agent: undefined });
  });
});

test("a link in the place of the temporary file is not written through", async () => {
  await inDirectory(async (directory) => {
    const stateDir = join(directory, "state");
    mkdirSync(stateDir);
    const target = join(directory, "target");
    writeFileSync(target, "precious");
    symlinkSync(target, `${statusPath(stateDir)}.${process.pid}.tmp`);
    createStatusFile({ stateDir, agent: AGENT }).publish(STATUS);
    await eventually(async () => (await readStatusFile(stateDir)).kind === "read");
    assert.equal(readFileSync(target, "utf8"), "precious");
    assert.deepEqual(readdirSync(stateDir), ["status.json"]);
  });
});
