/**
 * Every event as the line that operators see, against `golden/events.txt`. After an intended change, write the file
 * anew with `METALD_WRITE_GOLDEN=1` and read its difference.
 * @module
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ReliabilityEvent } from "../../src/domain/event.ts";
import { wallMs } from "../../src/domain/time.ts";
import { createLog } from "../../src/observability/log.ts";
import { reportToLog } from "../../src/observability/log_event.ts";
import { logfmt } from "../../src/observability/logfmt.ts";
import { EVENT_EXAMPLES } from "./event_examples.ts";
import { readLogfmt } from "./logfmt_reader.ts";

const GOLDEN = fileURLToPath(new URL("./golden/events.txt", import.meta.url));

function linesOf(events: readonly ReliabilityEvent[]): string[] {
  const lines: string[] = [];
  const log = createLog({
    level: "DEBUG",
    now: () => wallMs(Date.UTC(2026, 0, 2, 3, 4, 5, 678)),
    handlers: [{ handle: (record) => lines.push(logfmt(record)) }],
  });
  events.forEach(reportToLog(log));
  return lines;
}

const EVENTS: readonly ReliabilityEvent[] = Object.values(EVENT_EXAMPLES).flat();

test("each event gives exactly the line of the golden file, since operators grep for it", () => {
  const text = `${linesOf(EVENTS).join("\n")}\n`;
  if (process.env["METALD_WRITE_GOLDEN"]) writeFileSync(GOLDEN, text);
  assert.equal(text, readFileSync(GOLDEN, "utf8"));
});

test("each line reads back with a reader of its own, vm_id is the first field, and no event but a probe is silent", () => {
  for (const event of EVENTS) {
    const [line, ...more] = linesOf([event]);
    assert.deepEqual(more, []);
    if (event.type === "probe_finished") {
      assert.equal(line, undefined);
      continue;
    }
    assert.ok(line !== undefined, event.type);
    const pairs = readLogfmt(line);
    const keys = pairs.map(([key]) => key);
    assert.deepEqual(keys.slice(0, 4), ["time", "level", "msg", "component"]);
    assert.equal(new Set(keys).size, keys.length, `a key stands twice in ${line}`);
    if ("vmId" in event && event.vmId !== undefined) assert.deepEqual(pairs[4], ["vm_id", event.vmId]);
    for (const [key, value] of pairs) assert.notEqual(value, "undefined", `${key} in ${line}`);
  }
});

test("an instant that no calendar has does not end the agent", () => {
  const [line] = linesOf([
    { type: "vm_held", vmId: "vm-1", reason: "r", actor: "a", expiresAt: wallMs(Number.MAX_VALUE) },
  ]);
  assert.match(line ?? "", / expires=unknown$/);
});

/** The pipelines that the manual shows, and the messages they must find in the golden file. */
const PIPELINES: readonly (readonly [pipeline: string, messages: readonly string[]])[] = [
  ['grep "orphaned vm detected"', ["orphaned vm detected", "orphaned vm detected"]],
  [
    'grep "vm_id=vm-123" | grep recovery',
    [
      "orphaned vm detected",
      "starting vm recovery",
      "vm fenced",
      "attempting vm recovery",
      "vm recovery attempt failed",
      "vm recovery attempt failed",
      "vm recovery successful",
      "vm recovery failed completely",
      "vm recovery blocked",
    ],
  ],
  [
    'grep "vm_id=vm-123" | grep health',
    [
      "started vm health monitoring",
      "stopped vm health monitoring",
      "vm health check failed",
      "vm probe unknown",
      "vm marked as unhealthy",
      "vm health restored",
      "vm state",
    ],
  ],
  ['grep "vm health check failed" | tail -10', ["vm health check failed"]],
  [
    'grep -E "(orphaned|recovery)"',
    [
      "orphaned vm detected",
      "orphaned vm detected",
      "starting vm recovery",
      "vm fenced",
      "vm fenced",
      "attempting vm recovery",
      "vm recovery attempt failed",
      "vm recovery attempt failed",
      "vm recovery successful",
      "vm recovery failed completely",
      "vm recovery blocked",
      "mass failure brake engaged",
      "mass failure brake released",
    ],
  ],
  ["grep -E 'vm_id=vm-12( |$)'", ["vm created"]],
];

for (const [pipeline, messages] of PIPELINES) {
  test(`${pipeline} finds what it promises`, () => {
    const output = execFileSync("/bin/sh", ["-c", pipeline], { input: readFileSync(GOLDEN), encoding: "utf8" });
    const found = output.trimEnd().split("\n");
    assert.deepEqual(
      found.map((line) => new Map(readLogfmt(line)).get("msg")),
      messages,
    );
  });
}
