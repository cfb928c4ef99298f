/**
 * When two names are one file or one device.
 * @module
 */

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { keyOfStats, keysOfFacts } from "../../../src/adapters/process/file_key.ts";
import { statPath } from "../../../src/adapters/process/path_stat.ts";

for (const path of ["/bin/sh", "/dev/null", "/tmp", "/"]) {
  test(`the key of ${path} as a child process stats it is that of the open file`, async () => {
    const stat = await statPath(path, 10_000);
    assert.ok(stat.kind === "found", JSON.stringify(stat));
    assert.ok(keysOfFacts(stat.facts).includes(keyOfStats(statSync(path, { bigint: true }))));
  });
}

test("keysOfFacts knows a block device by its number, whatever node names it", () => {
  const facts = {
    type: "block_device",
    executable: false,
    device: "6",
    inode: "11",
    major: 259,
    minor: 1_048_577,
  } as const;
  assert.deepEqual(keysOfFacts(facts), ["block 259:1048577"]);
  assert.deepEqual(keysOfFacts({ ...facts, device: "7", inode: "12" }), keysOfFacts(facts));
});

test("keyOfStats takes the parts of a long device number from where the kernel puts them", () => {
  const stats = statSync("/", { bigint: true });
  const device = Object.create(stats, { isBlockDevice: { value: () => true }, rdev: { value: 0x10010301n } });
  assert.equal(keyOfStats(device), "block 259:65537");
});

test("statPath tells what is absent from what cannot be asked", async () => {
  assert.deepEqual(await statPath("/nonexistent/disk", 10_000), { kind: "absent" });
  assert.deepEqual(await statPath("/bin/sh/disk", 10_000), { kind: "absent" });
  assert.equal((await statPath(`/${"x".repeat(300)}`, 10_000)).kind, "failed");
});
