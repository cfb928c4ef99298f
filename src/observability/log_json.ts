/**
 * One record as one line of JSON, with the keys, the order and the bounds of the logfmt form. Numbers and booleans stay what they
 * are; durations are the same text as in logfmt.
 * @module
 */

import type { LogRecord } from "./log_record.ts";
import { bounded, quoted } from "./printable.ts";

export function logJson(record: LogRecord): string {
  const head = {
    time: new Date(record.datetime).toISOString(),
    level: record.levelName,
    msg: record.msg,
    component: record.loggerName,
  };
  const pairs: string[] = [];
  for (const [key, value] of Object.entries({ ...head, ...record.fields })) {
    if (value === undefined) continue;
    pairs.push(`${quoted(key)}:${typeof value === "string" ? quoted(bounded(value)) : JSON.stringify(value)}`);
  }
  return `{${pairs.join(",")}}`;
}
