import assert from "node:assert/strict";
import { test } from "node:test";
import { DEPTH_MAX, JsoncError, parseJsonc } from "../../src/config/jsonc.ts";

test("parseJsonc reads JSON with comments and trailing commas", () => {
  const text =
    '// first\n{ "a": [1, -2.5e1, true, null,], /* in\nbetween */ "b": { "c": "// no comment \\u00e9", }, } // last';
  assert.deepEqual(parseJsonc(text), { a: [1, -25, true, null], b: { c: "// no comment é" } });
});

test("parseJsonc agrees with JSON.parse on JSON", () => {
  for (const text of ["{}", "[]", '""', "0", "-0.5", "false", '{"a":{"b":[[],{}]}}', ' [ "\\"\\\\\\n" ] ', "1e3"]) {
    assert.deepEqual(parseJsonc(text), JSON.parse(text), text);
  }
});

test("parseJsonc says what is wrong, and where", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /a value is missing: line 1, column 1$/],
    ["{", /a key in double quotes or } is missing/],
    ['{"a": 1 "b": 2}', /a comma or } is missing: line 1, column 9$/],
    ['{\n  "a": 1,\n  "a": 2\n}', /the key "a" stands twice: line 3, column 3$/],
    ["[1 2]", /a comma or ] is missing/],
    ["{a: 1}", /a key in double quotes/],
    ['{"a" 1}', /a colon is missing/],
    ["'a'", /a value is missing/],
    ["[,]", /a value is missing/],
    ['"a\nb"', /a control character in a string must be escaped/],
    ['"abc', /a closing quote is missing: line 1, column 1$/],
    ['"\\x"', /an escape in a string is invalid/],
    ["/* no end", /the end of a comment is missing/],
    ["{} {}", /nothing may follow the value: line 1, column 4$/],
    ["[1] // end\n ]", /nothing may follow the value: line 2, column 2$/],
    ["nul", /a word must be true, false or null: line 1/],
    ["NaN", /a word must be true, false or null: line 1/],
    ["01", /nothing may follow the value/],
    ["1e999", /a number is too large/],
    ["[".repeat(DEPTH_MAX + 1), /nesting is limited/],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseJsonc(text),
      (error) => error instanceof JsoncError && message.test(error.message),
      text,
    );
  }
});

test("parseJsonc makes a key named __proto__ an ordinary property, so that no object gets a prototype from a file", () => {
  const value = parseJsonc('{"__proto__": {"polluted": true}}');
  assert.ok(typeof value === "object" && value !== null);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.deepEqual(Object.keys(value), ["__proto__"]);
  assert.equal("polluted" in value, false);
});

test("parseJsonc refuses a megabyte of brackets without exhausting the stack", () => {
  assert.throws(() => parseJsonc("[".repeat(1_000_000)), JsoncError);
});
