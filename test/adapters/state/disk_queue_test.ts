/**
 * Work on a disk that may cease to answer.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createDiskQueue } from "../../../src/adapters/state/disk_queue.ts";

const SOON = { timeoutMs: 20, callsMax: 2 };
const LATER = { timeoutMs: 60_000, callsMax: 2 };
const never = () => new Promise<never>(() => undefined);

test("run gives what the work gives, and throws what it throws", async () => {
  const disk = createDiskQueue(LATER);
  assert.equal(await disk.run("a", async () => 7), 7);
  await assert.rejects(
    disk.run("a", async () => {
      throw new Error("ENOSPC");
    }),
    /ENOSPC/,
  );
  assert.equal(await disk.run("a", async () => 8), 8);
});

test("run does the work on one path in the order of the calls, and on others beside it", async () => {
  const disk = createDiskQueue(LATER);
  const done: string[] = [];
  let release = () => {};
  const first = disk.run("a", async () => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    done.push("a1");
  });
  const second = disk.run("a", async () => done.push("a2"));
  await disk.run("b", async () => done.push("b"));
  release();
  await Promise.all([first, second]);
  assert.deepEqual(done, ["b", "a1", "a2"]);
});

test("run fails when the disk does not answer, and at once while it is silent", async () => {
  const disk = createDiskQueue(SOON);
  await assert.rejects(disk.run("a", never), /^Error: no answer within 0.02 s$/);
  let begun = false;
  const begin = async () => {
    begun = true;
  };
  await assert.rejects(disk.run("b", begin), /no answer/);
  assert.equal(begun, false);
});

test("work that is late is told, what waited behind it is not begun, and the disk is used again once it answers", async () => {
  const disk = createDiskQueue({ ...SOON, callsMax: 1 });
  let answer = () => {};
  let wasLate: boolean | undefined;
  const late = disk.run("a", async (isLate) => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    wasLate = isLate();
  });
  let waited = "";
  const behind = disk.run("b", async () => {
    waited = "begun";
  });
  await assert.rejects(late, /no answer/);
  await assert.rejects(behind, /no answer/);
  answer();
  while (wasLate === undefined) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(wasLate, true);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await disk.run("b", async () => "again"), "again");
  assert.equal(waited, "");
});
