import assert from "node:assert/strict";
import { test } from "node:test";
import { changedKeys, leavesOf } from "../../src/config/key_paths.ts";

test("leavesOf names every key below its sections", () => {
  assert.deepEqual(
    [...leavesOf({ a: 1, b: { c: { d: [2] }, e: "x" } })],
    [
      ["a", 1],
      ["b.c.d", [2]],
      ["b.e", "x"],
    ],
  );
});

test("changedKeys names what differs, is new or is gone, and nothing else", () => {
  const before = { a: 1, b: { c: "1s", d: "2s" }, gone: true };
  const after = { a: 1, b: { c: "1s", d: "3s" }, added: {}, fresh: { x: 1 } };
  assert.deepEqual(changedKeys(before, after), ["b.d", "fresh.x", "gone"]);
  assert.deepEqual(changedKeys(before, before), []);
});
