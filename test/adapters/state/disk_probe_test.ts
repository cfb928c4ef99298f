import assert from "node:assert/strict";
import { test } from "node:test";
import { createDiskProbe } from "../../../src/adapters/state/disk_probe.ts";

test("a disk that is there answers, and so does one that is not", async () => {
  const probe = createDiskProbe("/");
  assert.deepEqual(await Promise.all([probe(60_000), probe(60_000)]), [true, true]);
  assert.equal(await createDiskProbe("/nonexistent")(60_000), true);
});
