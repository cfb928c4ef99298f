/**
 * Logs more than a pipe and the cap can hold, without a pause, then ends once all of it was taken. Run by the test beside it.
 * @module
 */

import process from "node:process";
import { wallMs } from "../../src/domain/time.ts";
import type { LogEntry } from "../../src/observability/log_record.ts";
import { stdoutLog } from "../../src/observability/stdout_log.ts";

const LINES = 3_000;

function entry(msg: string, fields: LogEntry["fields"]): LogEntry {
  return { levelName: "INFO", component: "reliability", msg, fields };
}

const log = stdoutLog({
  level: "INFO",
  format: "logfmt",
  now: () => wallMs(Date.now()),
  onDropped: (count) => log.log(entry("log lines dropped", { count })),
});
for (let line = 0; line < LINES; line++) log.log(entry("filler", { text: "x".repeat(900) }));
process.stderr.write("the loop goes on\n");
await log.flush(20_000);
await log.flush(20_000);
process.exit(0);
