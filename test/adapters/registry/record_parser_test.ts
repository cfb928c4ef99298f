import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordParser } from "../../../src/adapters/registry/record_parser.ts";

const text = (state: string) => JSON.stringify({ id: "vm-1", state, vmm: "process" });

test("a text that comes again is not parsed again, and memory holds one of it", () => {
  const parser = createRecordParser();
  const first = parser.parse("vm-1", text("running"));
  assert.equal(first.reading.kind, "valid");
  assert.equal(parser.parse("vm-1", text("running")), first);
});

test("another text, the same text of another VM and one that was forgotten are parsed", () => {
  const parser = createRecordParser();
  const first = parser.parse("vm-1", text("running"));
  assert.equal(parser.parse("vm-2", text("running")).reading.kind, "invalid");
  const stopped = parser.parse("vm-1", text("stopped"));
  assert.ok(stopped.reading.kind === "valid");
  assert.equal(stopped.reading.record.desired, "stopped");
  assert.notEqual(parser.parse("vm-1", text("running")), first);
  const second = parser.parse("vm-1", text("running"));
  parser.keepOnly(new Set(["vm-2"]));
  assert.notEqual(parser.parse("vm-1", text("running")), second);
});
