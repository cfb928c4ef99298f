/**
 * What the host is said to do, by stand-ins for `systemctl`.
 * @module
 */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createSystemHost } from "../../../src/adapters/systemd/host.ts";

async function withSystemctl(script: string, check: (systemctl: string, directory: string) => Promise<void>) {
  const directory = mkdtempSync(join(tmpdir(), "metald-host-"));
  try {
    const systemctl = join(directory, "systemctl");
    writeFileSync(systemctl, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await check(systemctl, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

for (const [state, expected] of [
  ["stopping", true],
  ["running", false],
  ["degraded", false],
  ["maintenance", false],
  ["", false],
] as const) {
  test(`isShuttingDown is ${expected} where systemd says "${state}"`, () =>
    withSystemctl(`[ "$1" = is-system-running ] && echo "${state}"; exit 1`, async (systemctl, runtimePath) => {
      assert.equal(await createSystemHost({ systemctl, runtimePath }).isShuttingDown(), expected);
    }));
}

test("isShuttingDown is false where systemd does not run, without asking anybody", () =>
  withSystemctl("echo stopping", async (systemctl) => {
    const host = createSystemHost({ systemctl, runtimePath: "/nonexistent" });
    assert.equal(await host.isShuttingDown(), false);
  }));

test("isShuttingDown is false where systemctl does not exist", async () => {
  const host = createSystemHost({ systemctl: "/nonexistent/systemctl", runtimePath: "/" });
  assert.equal(await host.isShuttingDown(), false);
});

test("isShuttingDown is false when systemctl does not answer", () =>
  withSystemctl("exec sleep 600", async (systemctl, runtimePath) => {
    assert.equal(await createSystemHost({ systemctl, runtimePath }).isShuttingDown(), false);
  }));

test("isShuttingDown asks once for many who want to know at the same time", () =>
  withSystemctl('echo asked >> "$(dirname "$0")/log"; echo stopping', async (systemctl, runtimePath) => {
    const host = createSystemHost({ systemctl, runtimePath });
    assert.deepEqual(await Promise.all([1, 2, 3].map(() => host.isShuttingDown())), [true, true, true]);
    assert.equal(readFileSync(join(runtimePath, "log"), "utf8"), "asked\n");
  }));
