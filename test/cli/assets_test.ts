import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { printAsset } from "../../src/cli/assets.ts";
import { parseCommand } from "../../src/cli/command.ts";

for (const [name, file] of [
  ["unit", "metald.service"],
  ["config", "config.jsonc"],
  ["alerts", "alerts.yaml"],
] as const) {
  test(`metald assets ${name} prints ${file} to the letter, as it is installed from there`, () => {
    const command = parseCommand(["assets", name], undefined);
    assert.deepEqual(command, { kind: "assets", name });
    let printed = "";
    const print = (text: string): void => {
      printed += text;
    };
    assert.equal(printAsset(name, { print, complain: assert.fail }), 0);
    assert.equal(printed, readFileSync(new URL(`../../src/assets/${file}`, import.meta.url), "utf8"));
  });
}

test("metald assets dashboard prints the dashboard's JSON", () => {
  let printed = "";
  const print = (text: string): void => {
    printed += text;
  };
  assert.equal(printAsset("dashboard", { print, complain: assert.fail }), 0);
  const shipped = readFileSync(new URL("../../src/assets/dashboard.json", import.meta.url), "utf8");
  assert.deepEqual(JSON.parse(printed), JSON.parse(shipped));
});

test("metald assets with another name, or with none, is wrong use", () => {
  for (const args of [["assets"], ["assets", "toString"], ["assets", "unit", "config"]]) {
    assert.equal(parseCommand(args, undefined).kind, "misused", args.join(" "));
  }
});
