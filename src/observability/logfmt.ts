/**
 * One record as one line of logfmt: `key=value` pairs that a person reads and `grep` finds.
 *
 * `time`, `level`, `msg` and `component` come first, then the fields in the order in which they were given. A value is quoted only
 * where it must be, so that `grep vm_id=vm-123` works. Inside quotes stand the escapes of JSON, which every reader of
 * logfmt takes, where those of Go (`\x00`, `\a`) are not.
 * @module
 */

import type { LogRecord } from "./log_record.ts";
import { bounded, quoted } from "./printable.ts";

/** Empty, or with a space, an equals sign, a quote, or a character that is no visible one. */
const NEEDS_QUOTES = /^$|[\p{C}\p{Z}="]/u;

export function logfmt(record: LogRecord): string {
  let line = `time=${new Date(record.datetime).toISOString()} level=${record.levelName}`;
  line += ` msg=${logfmtValue(record.msg)} component=${record.loggerName}`;
  for (const [key, value] of Object.entries(record.fields)) {
    if (value !== undefined) line += ` ${key}=${logfmtValue(String(value))}`;
  }
  return line;
}

export function logfmtValue(value: string): string {
  const text = bounded(value);
  return NEEDS_QUOTES.test(text) ? quoted(text) : text;
}
