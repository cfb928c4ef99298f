/**
 * The agent's log as it runs: one line per record on stdout, with priorities where stdout is the journal.
 * @module
 */

import { fstatSync } from "node:fs";
import process from "node:process";
import type { WallMs } from "../domain/time.ts";
import { isJournal, journalPrefix } from "./journal_stream.ts";
import { lineWriter } from "./line_writer.ts";
import { createLog, type Log } from "./log.ts";
import { logJson } from "./log_json.ts";
import type { LevelName, LogFormat, LogHandler } from "./log_record.ts";
import { logfmt } from "./logfmt.ts";

export interface StdoutLogOptions {
  readonly level: LevelName;
  readonly format: "logfmt" | "json";
  readonly now: () => WallMs;
  /** As `LineWriterOptions.onDropped`. */
  readonly onDropped: (count: number) => void;
}

export interface StdoutLog extends Log {
  /** Resolves when every line has reached the reader, or after `timeoutMs`: to be awaited before the process ends. */
  readonly flush: (timeoutMs: number) => Promise<void>;
}

export function stdoutLog(options: StdoutLogOptions): StdoutLog {
  const writer = lineWriter(process.stdout, { onDropped: options.onDropped });
  const toJournal = isJournal(process.env["JOURNAL_STREAM"], fstatSync(1, { bigint: true }));
  const handler = lineHandler(writer.write, options.format === "json" ? logJson : logfmt, toJournal);
  return { ...createLog({ level: options.level, handlers: [handler], now: options.now }), flush: writer.flush };
}

/** @param write takes one line without its end */
export function lineHandler(write: (line: string) => void, format: LogFormat, toJournal: boolean): LogHandler {
  return {
    handle: (record) => write(toJournal ? journalPrefix(record.levelName) + format(record) : format(record)),
  };
}
