/**
 * The README says nothing that the program does not.
 * @module
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { EXIT_CODE } from "../src/cli/exit_code.ts";
import { DEFAULTS } from "../src/config/defaults.ts";
import { TELEMETRY_KEYS } from "../src/config/telemetry_section.ts";
import { parseVmRecord } from "../src/config/vm_record_schema.ts";
import { INSTRUMENTS } from "../src/observability/instrument_table.ts";

const README = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const GOLDEN = readFileSync(new URL("./observability/golden/events.txt", import.meta.url), "utf8");

/** The text of the section below a heading. */
function section(heading: string): string {
  const [, text = ""] = README.split(`\n## ${heading}\n`);
  return text.split("\n## ")[0] ?? "";
}

/** The first two cells of each row of the tables in a section. */
function rows(heading: string): [string, string][] {
  return [...section(heading).matchAll(/^\| ([^|]*) \|(?: ([^|]*) \|)?/gm)]
    .map(([, first = "", second = ""]): [string, string] => [first.replaceAll("`", ""), second.replaceAll("`", "")])
    .filter(([first]) => !/^(key|signal|exit code)$/.test(first));
}

test("the record in the README is a valid record", () => {
  const record = section("One record")
    .split("\n\n")
    .find((block) => block.startsWith("    {"));
  assert.ok(record !== undefined);
  const reading = parseVmRecord("vm-123", record);
  assert.deepEqual(reading.kind === "invalid" ? reading.errors : [], []);
});

test("the table of keys in the README has every key with its default, and no other", () => {
  const documented = Object.fromEntries(rows("Configuration").map(([key, text]) => [key, JSON.parse(text)]));
  const expected: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(DEFAULTS)) {
    if (key !== "health_check" && key !== "recovery") expected[key] = value;
    else for (const [inner, innerValue] of Object.entries(value)) expected[`${key}.${inner}`] = innerValue;
  }
  assert.deepEqual(documented, expected);
});

test("the table of exit codes in the README has every exit code", () => {
  const documented = rows("Signals and exit codes")
    .map(([code]) => Number(code))
    .filter((code) => !Number.isNaN(code));
  assert.deepEqual(
    documented,
    Object.values(EXIT_CODE).toSorted((a, b) => a - b),
  );
});

test("the table of metrics in the README has every metric with its kind and its attribute", () => {
  const documented = [...section("Metrics").matchAll(/^\| `(unkey_\w+)` \| (\w+) \| (?:`(\w+)` )?\|/gm)];
  const expected = Object.entries(INSTRUMENTS).map(([name, row]) => {
    const attribute = name === "unkey_metald_build_info" ? "version" : undefined;
    return [name, row.kind, "attribute" in row ? row.attribute.key : attribute];
  });
  assert.deepEqual(
    documented.map(([, ...cells]) => cells),
    expected,
  );
});

test("the keys of telemetry that the README shows are those of the configuration", () => {
  const table = section("Metrics").split("| key below `telemetry.otlp` |")[1] ?? "";
  const documented = [...table.matchAll(/^\| (`[a-z_`, ]+`) \|/gm)].flatMap(([, keys = ""]) =>
    [...keys.matchAll(/`(\w+)`/g)].map(([, key]) => `telemetry.otlp.${key}`),
  );
  assert.deepEqual(documented.sort(), TELEMETRY_KEYS.filter((key) => key.startsWith("telemetry.otlp.")).sort());
});

test("each message and field of the log that the README shows is one that the agent writes", () => {
  const text = section("One line of the log");
  const messages = [...text.matchAll(/`([a-z]+ [a-z ]+)`|msg="([^"]+)"/g)].map(([, quoted, msg]) => quoted ?? msg);
  assert.ok(messages.length >= 5);
  for (const msg of messages) assert.ok(GOLDEN.includes(`msg="${msg}"`), msg);
  for (const [, key] of text.matchAll(/(?:^| )([a-z_]+)=\S/gm))
    assert.ok(GOLDEN.includes(` ${key}=`) || key === "time", key);
});
