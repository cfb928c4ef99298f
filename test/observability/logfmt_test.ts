import assert from "node:assert/strict";
import { test } from "node:test";
import { wallMs } from "../../src/domain/time.ts";
import { logJson } from "../../src/observability/log_json.ts";
import { LOG_LEVELS, type LogFields, type LogRecord } from "../../src/observability/log_record.ts";
import { logfmt, logfmtValue } from "../../src/observability/logfmt.ts";
import { VALUE_LENGTH_MAX } from "../../src/observability/printable.ts";
import { readLogfmt } from "./logfmt_reader.ts";

function record(fields: LogFields): LogRecord {
  return {
    msg: "vm created",
    fields,
    level: LOG_LEVELS.INFO,
    levelName: "INFO",
    loggerName: "vm_lifecycle",
    datetime: wallMs(Date.UTC(2026, 0, 2, 3, 4, 5, 6)),
  };
}

const AWKWARD: readonly (readonly [value: string, text: string, why: string])[] = [
  ["vm-123", "vm-123", "plain"],
  ["/run/vms/a.sock", "/run/vms/a.sock", "a path"],
  ["C:\\x", "C:\\x", "a backslash alone"],
  ["größe", "größe", "letters beyond ASCII"],
  ["", '""', "empty"],
  ["a b", '"a b"', "a space"],
  ["a=b", '"a=b"', "an equals sign"],
  ['a"b', '"a\\"b"', "a quote"],
  ["a\nb", '"a\\nb"', "a newline"],
  ["a\u0007b\u001b[2J", '"a\\u0007b\\u001b[2J"', "control characters"],
  ["a\u0085b\u2028c\u2029", '"a\\u0085b\\u2028c\\u2029"', "other ends of a line"],
  ["a\u202eb", '"a\\u202eb"', "a change of direction"],
  ["\ud800", '"\\ud800"', "half a surrogate pair"],
  ["a\u00a0b", '"a\u00a0b"', "a space of another kind"],
];

for (const [value, text, why] of AWKWARD) {
  test(`logfmtValue() writes a value with ${why} so that one line stays one line and reads back`, () => {
    assert.equal(logfmtValue(value), text);
    const line = logfmt(record({ vm_id: "vm-1", error: value }));
    assert.equal(line.split(/[\r\n\u0085\u2028\u2029]/).length, 1);
    assert.deepEqual(readLogfmt(line).at(-1), ["error", value]);
    assert.equal(JSON.parse(logJson(record({ vm_id: "vm-1", error: value }))).error, value);
  });
}

test("logfmt() puts time, level, msg and component first and leaves out what is undefined", () => {
  assert.equal(
    logfmt(record({ vm_id: "vm-1", process_id: undefined, attempt: 2, held: false })),
    'time=2026-01-02T03:04:05.006Z level=INFO msg="vm created" component=vm_lifecycle vm_id=vm-1 attempt=2 held=false',
  );
});

test("logJson() has the keys and the order of logfmt(), with numbers and booleans as such", () => {
  assert.equal(
    logJson(record({ vm_id: "vm-1", process_id: undefined, attempt: 2, held: false })),
    '{"time":"2026-01-02T03:04:05.006Z","level":"INFO","msg":"vm created","component":"vm_lifecycle",' +
      '"vm_id":"vm-1","attempt":2,"held":false}',
  );
});

test("a long value is cut and says how much is missing, and a surrogate pair is not split", () => {
  assert.equal(logfmtValue("x".repeat(VALUE_LENGTH_MAX)).length, VALUE_LENGTH_MAX);
  assert.equal(
    logfmtValue("x".repeat(VALUE_LENGTH_MAX + 7)),
    JSON.stringify(`${"x".repeat(VALUE_LENGTH_MAX)}... (7 more)`),
  );
  const face = "\u{1f600}";
  const cut = logfmtValue("x".repeat(VALUE_LENGTH_MAX - 1) + face);
  assert.equal(cut, JSON.stringify(`${"x".repeat(VALUE_LENGTH_MAX - 1)}... (2 more)`));
});

test("random text always becomes one line that reads back, because values come from strangers", () => {
  const alphabet = ["a", " ", "=", '"', "\\", "\n", "\u0000", "\u2028", "\ud83d", "\ude00", "é", "vm_id=x", "\u200b"];
  let seed = 7;
  for (let round = 0; round < 500; round++) {
    let value = "";
    for (let length = round % 12; length > 0; length--) {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      value += alphabet[seed % alphabet.length];
    }
    const line = logfmt(record({ error: value }));
    assert.ok(!/[\p{Cc}\p{Zl}\p{Zp}]/u.test(line), JSON.stringify(line));
    assert.deepEqual(readLogfmt(line).at(-1), ["error", value]);
  }
});
