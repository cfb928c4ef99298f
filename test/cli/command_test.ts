import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommand } from "../../src/cli/command.ts";

test("parseCommand knows each command, with its configuration", () => {
  const configPath = "/c.jsonc";
  const none = undefined;
  assert.deepEqual(parseCommand(["run"], none), { kind: "run", configPath: none });
  assert.deepEqual(parseCommand(["run", "--config", configPath], none), { kind: "run", configPath });
  assert.deepEqual(parseCommand(["--config=/c.jsonc", "run"], none), { kind: "run", configPath });
  assert.deepEqual(parseCommand(["config", "check", "--config", configPath], none), {
    kind: "config_check",
    configPath,
  });
  const show = { kind: "config_show", configPath } as const;
  assert.deepEqual(parseCommand(["config", "show"], configPath), { ...show, secrets: false });
  assert.deepEqual(parseCommand(["config", "show", "--secrets"], configPath), { ...show, secrets: true });
  for (const word of ["version", "--version"]) assert.deepEqual(parseCommand([word], none), { kind: "version" });
  for (const word of ["help", "--help", "-h"]) assert.deepEqual(parseCommand([word], none), { kind: "help" });
  assert.deepEqual(parseCommand(["run", "--help"], none), { kind: "help" });
});

test("--config goes before METALD_CONFIG, and an empty variable is unset", () => {
  assert.deepEqual(parseCommand(["run", "--config", "/a"], "/b"), { kind: "run", configPath: "/a" });
  assert.deepEqual(parseCommand(["run"], ""), { kind: "run", configPath: undefined });
});

test("parseCommand says in one sentence what is wrong, with the value", () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /command must be run, .*: current value is ""$/],
    [["fly"], /command must be run, .*: current value is "fly"$/],
    [["config"], /current value is "config"$/],
    [["run", "now"], /current value is "run now"$/],
    [["run", "--force"], /there is no such option: current value is "--force"$/],
    [["run", "--config"], /--config must be followed by a path/],
    [["run", "--config="], /--config must be followed by a path/],
    [["status", "--secrets"], /only config show has --secrets: current value is "status"$/],
    [["config", "show", "--json"], /only status has --json: current value is "config show"$/],
  ];
  for (const [args, pattern] of cases) {
    const command = parseCommand(args, undefined);
    assert.ok(command.kind === "misused", args.join(" "));
    assert.match(command.error, pattern);
  }
});
