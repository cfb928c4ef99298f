import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { CONFIGURATION_BYTES_MAX, loadConfiguration } from "../../src/config/load.ts";
import { withDirectory } from "./temporary_directory.ts";

const UID = process.geteuid?.() ?? 0;

function errorsOf(path: string): string {
  const loaded = loadConfiguration({ path, uid: UID });
  assert.ok(loaded.kind === "rejected");
  return loaded.errors.join("\n");
}

test("loadConfiguration reads a named file", () =>
  withDirectory((directory) => {
    const path = join(directory, "config.jsonc");
    writeFileSync(path, '{ "enabled": false, } // off', { mode: 0o600 });
    const loaded = loadConfiguration({ path, uid: UID });
    assert.ok(loaded.kind === "loaded");
    assert.equal(loaded.path, path);
    assert.equal(loaded.configuration.policy.enabled, false);
  }));

test("loadConfiguration names the file in every error", () =>
  withDirectory((directory) => {
    const path = join(directory, "config.jsonc");
    writeFileSync(path, '{ "a": 1, "log": { "level": 3 } }', { mode: 0o600 });
    const lines = errorsOf(path).split("\n");
    assert.equal(lines.length, 2);
    for (const line of lines) assert.ok(line.startsWith(`${path}: Cannot use `), line);
    writeFileSync(path, '{\n "a": }');
    assert.equal(
      errorsOf(path),
      `${path}: Cannot read the file as it must be JSON with comments: a value is missing: line 2, column 7`,
    );
  }));

test("loadConfiguration refuses a named file that is missing, too large, or that others could have written", () =>
  withDirectory((directory) => {
    const path = join(directory, "config.jsonc");
    assert.equal(errorsOf(path), `Cannot read ${path} as the file must exist: current value is absent`);
    writeFileSync(path, " ".repeat(CONFIGURATION_BYTES_MAX + 1), { mode: 0o600 });
    assert.match(errorsOf(path), /must have at most 1048576 bytes/);
    writeFileSync(path, "{}");
    chmodSync(path, 0o666);
    assert.match(errorsOf(path), /config\.jsonc as group and others must not be able to write to it/);
    chmodSync(path, 0o600);
    chmodSync(directory, 0o770);
    assert.match(
      errorsOf(path),
      /metald-test-\w+ as group and others must not be able to write to it: current value is mode 0770/,
    );
  }));
