import assert from "node:assert/strict";
import { test } from "node:test";
import { isJournal, journalPrefix } from "../../src/observability/journal_stream.ts";

test("isJournal() needs device and inode of our own stdout, because children inherit the variable", () => {
  const stream = { dev: 9n, ino: 18_446_744_073_709_551_615n };
  assert.equal(isJournal("9:18446744073709551615", stream), true);
  assert.equal(isJournal("9:18446744073709551614", stream), false);
  assert.equal(isJournal("", stream), false);
  assert.equal(isJournal(undefined, stream), false);
});

test("journalPrefix() gives the priorities of syslog", () => {
  const prefixes = (["CRITICAL", "ERROR", "WARN", "INFO", "DEBUG"] as const).map(journalPrefix);
  assert.deepEqual(prefixes, ["<2>", "<3>", "<4>", "<6>", "<7>"]);
});
