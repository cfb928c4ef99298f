import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { judgeDirectory, readTrustedFile } from "../../src/config/trusted_file.ts";
import { withDirectory } from "./temporary_directory.ts";

const UID = process.geteuid?.() ?? 0;
const LIMITS = { uid: UID, bytesMax: 100 };

test("readTrustedFile reads a file of the agent's own user", () =>
  withDirectory((directory) => {
    const path = join(directory, "a");
    writeFileSync(path, "é", { mode: 0o644 });
    const reading = readTrustedFile(path, LIMITS);
    assert.ok(reading.kind === "read");
    assert.equal(reading.text, "é");
    assert.equal(reading.stats.size, 2n);
  }));

test("readTrustedFile tells what is absent from what is refused, and says why", () =>
  withDirectory((directory) => {
    const at = (name: string): string => join(directory, name);
    writeFileSync(at("good"), "x", { mode: 0o600 });
    writeFileSync(at("group"), "x");
    chmodSync(at("group"), 0o664);
    writeFileSync(at("others"), "x");
    chmodSync(at("others"), 0o602);
    writeFileSync(at("large"), "x".repeat(101), { mode: 0o600 });
    writeFileSync(at("bytes"), Uint8Array.of(0xff, 0xfe), { mode: 0o600 });
    mkdirSync(at("directory"));
    symlinkSync("good", at("link"));
    symlinkSync("nowhere", at("dangling"));
    assert.equal(spawnSync("mkfifo", [at("pipe")]).status, 0);
    assert.deepEqual(readTrustedFile(at("nothing"), LIMITS), { kind: "absent" });
    const refused: readonly (readonly [string, RegExp])[] = [
      ["group", /group and others must not be able to write to it: current value is mode 0664/],
      ["others", /group and others must not be able to write to it: current value is mode 0602/],
      ["large", /must have at most 100 bytes: current value is 101 bytes/],
      ["bytes", /must be UTF-8/],
      ["directory", /must be a regular file: current value is a directory/],
      ["link", /must be a regular file: current value is a link/],
      ["dangling", /must be a regular file: current value is a link/],
      ["pipe", /must be a regular file: current value is a pipe/],
    ];
    for (const [name, pattern] of refused) {
      const reading = readTrustedFile(at(name), LIMITS);
      assert.ok(reading.kind === "refused", name);
      assert.match(reading.error, pattern);
      assert.ok(reading.error.includes(at(name)), reading.error);
    }
  }));

test("readTrustedFile refuses a file of somebody else", { skip: UID !== 0 && "needs root" }, () =>
  withDirectory((directory) => {
    const path = join(directory, "a");
    writeFileSync(path, "x", { mode: 0o600 });
    chownSync(path, 4242, 0);
    const reading = readTrustedFile(path, LIMITS);
    assert.ok(reading.kind === "refused");
    assert.match(reading.error, /must belong to root: current value is uid 4242/);
    assert.equal(readTrustedFile(path, { uid: 4242, bytesMax: 100 }).kind, "read");
  }),
);

test("judgeDirectory trusts a directory that nobody else can write to, and no other", () =>
  withDirectory((directory) => {
    assert.equal(judgeDirectory(directory, LIMITS).kind, "trusted");
    chmodSync(directory, 0o777);
    const judgement = judgeDirectory(directory, LIMITS);
    assert.ok(judgement.kind === "refused");
    assert.match(judgement.error, /current value is mode 0777/);
    assert.equal(judgeDirectory(join(directory, "nothing"), LIMITS).kind, "absent");
    writeFileSync(join(directory, "file"), "");
    assert.equal(judgeDirectory(join(directory, "file"), LIMITS).kind, "refused");
  }));
