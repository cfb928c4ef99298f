import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { printable } from "../../../src/adapters/vmm/printable.ts";

describe("printable", () => {
  it("keeps what a person can read", () => {
    assert.equal(printable('{"fault_message": "caf\u00e9"}'), '{"fault_message": "caf\u00e9"}');
  });

  it("makes one line of many and one space of what cannot be shown", () => {
    assert.equal(printable("a\r\n\tb\u0000\u001b[31m\u2028c\ufffd\ufffdd"), "a b [31m c d");
  });

  it("is short, however long the text", () => {
    assert.equal(printable("x".repeat(1_000_000)).length, 163);
    assert.equal(printable("\u0000".repeat(1_000_000)), "...");
  });
});
