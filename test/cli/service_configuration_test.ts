/**
 * The configuration of the service, from a shell that does not have its variables.
 * @module
 */

import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { serviceConfigPath } from "../../src/cli/service_configuration.ts";
import { withDirectory } from "../config/temporary_directory.ts";

function ask(environmentPath: string, named?: string) {
  const complaints: string[] = [];
  const output = { print: () => undefined, complain: (line: string) => complaints.push(line) };
  const path = serviceConfigPath({ named, environmentPath, uid: process.geteuid?.() ?? 0, output });
  return { path, complaints };
}

test("a shell without METALD_CONFIG looks at the configuration of the service, and says so", () =>
  withDirectory((directory) => {
    const file = join(directory, "environment");
    assert.deepEqual(ask(file), { path: undefined, complaints: [] });
    writeFileSync(file, "OTEL_SDK_DISABLED=true\n", { mode: 0o600 });
    assert.deepEqual(ask(file), { path: undefined, complaints: [] });
    writeFileSync(file, "METALD_CONFIG=/srv/metald.jsonc\n", { mode: 0o600 });
    const complaints = [`the configuration is /srv/metald.jsonc, as for the service: ${file} sets METALD_CONFIG`];
    assert.deepEqual(ask(file), { path: "/srv/metald.jsonc", complaints });
  }));

test("what somebody names goes before what the service has", () =>
  withDirectory((directory) => {
    const file = join(directory, "environment");
    writeFileSync(file, "METALD_CONFIG=/srv/metald.jsonc\n", { mode: 0o600 });
    assert.deepEqual(ask(file, "/home/me.jsonc"), { path: "/home/me.jsonc", complaints: [] });
  }));

test("a file of variables that others can write to is not followed, which is said", () =>
  withDirectory((directory) => {
    const file = join(directory, "environment");
    writeFileSync(file, "METALD_CONFIG=/srv/metald.jsonc\n");
    chmodSync(file, 0o666);
    const { path, complaints } = ask(file);
    assert.equal(path, undefined);
    assert.match(complaints.join(), /^Cannot tell whether the service has another configuration: Cannot trust /);
  }));
