/**
 * What `npm run build` leaves in `dist/`. Needs it to have run.
 * @module
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ROOT } from "./root.ts";

const DIST = join(ROOT, "dist");
const BINARY = join(DIST, "metald");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

test("dist holds all that is copied onto a host, with its checksums", () => {
  const { status, stdout } = spawnSync("sha256sum", ["--check", "--strict", "SHA256SUMS"], {
    cwd: DIST,
    encoding: "utf8",
  });
  assert.equal(status, 0, stdout);
  const checked = stdout.split("\n").map((line) => line.split(":")[0]);
  for (const name of ["metald", `metald-linux-${process.arch}`, "install.sh"]) assert.ok(checked.includes(name), name);
});

test("a binary for another architecture is an executable of that architecture", () => {
  const machines: ReadonlyMap<string, number> = new Map([
    ["x64", 62],
    ["arm64", 183],
  ]);
  for (const [architecture, machine] of machines) {
    const path = join(DIST, `metald-linux-${architecture}`);
    // Where the registry could not be reached, the build has said so.
    if (!existsSync(path)) continue;
    const header = readFileSync(path).subarray(0, 20);
    assert.equal(header.toString("latin1", 1, 4), "ELF");
    assert.equal(header.readUInt16LE(18), machine, architecture);
  }
});

test("no variable makes the binary another program, runs code in it, or opens a port", () => {
  const directory = mkdtempSync(join(tmpdir(), "metald-build-"));
  try {
    const trace = join(directory, "trace");
    const preload = join(directory, "preload.js");
    writeFileSync(preload, `require("node:fs").writeFileSync(${JSON.stringify(trace)}, "");`);
    const variables = {
      BUN_BE_BUN: "1",
      BUN_OPTIONS: `--preload=${preload}`,
      BUN_INSPECT: `ws+unix://${trace}`,
      BUN_INSPECT_PRELOAD: preload,
      NODE_OPTIONS: `--require=${preload}`,
    };
    for (const [name, value] of Object.entries(variables)) {
      const env = { PATH: process.env["PATH"], [name]: value };
      const { status, stdout, stderr } = spawnSync(BINARY, ["version"], { env, encoding: "utf8", timeout: 10_000 });
      assert.equal(`${status} ${stdout}${stderr}`, `0 metald ${version}\n`, name);
      assert.ok(!existsSync(trace), name);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
