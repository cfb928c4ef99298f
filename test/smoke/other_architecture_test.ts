/**
 * The binary for the other architecture, under emulation: that it starts there, and carries the same files. Needs `npm run build`.
 *
 * Not the agent itself: an emulator shows a program a `/proc` of its own making for the program's own process, and the agent
 * rightly takes that for no table of processes.
 * @module
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { it } from "node:test";
import { describeWhere, type Requirement } from "../host/requires.ts";
import { ROOT } from "../tool/root.ts";

const LIBRARIES = "/usr/aarch64-linux-gnu";
const EMULATOR: Requirement = {
  what: "qemu-aarch64 and an arm64 C library (Debian: qemu-user libc6-arm64-cross)",
  met: () => process.arch === "x64" && existsSync(LIBRARIES) && spawnSync("qemu-aarch64", ["-version"]).status === 0,
};

function metald(...args: readonly string[]) {
  const binary = join(ROOT, "dist/metald-linux-arm64");
  return spawnSync("qemu-aarch64", ["-L", LIBRARIES, binary, ...args], { encoding: "utf8", timeout: 60_000 });
}

describeWhere([EMULATOR], "the binary for arm64", () => {
  it("tells its version, carries the files of the other one, and refuses a configuration that is not there", () => {
    const own = (...args: readonly string[]) => spawnSync(join(ROOT, "dist/metald"), args, { encoding: "utf8" });
    for (const args of [["version"], ["assets", "unit"]]) {
      const { status, stdout, stderr } = metald(...args);
      assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: own(...args).stdout, stderr: "" });
    }
    const { status, stderr } = metald("config", "check", "--config", "/nonexistent/config.jsonc");
    assert.equal(status, 78, stderr);
  });
});
