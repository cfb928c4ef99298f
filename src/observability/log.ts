/**
 * The agent's logger: the shape of Deno's `@std/log` (levels, records, handlers) on top of `loglevel`.
 *
 * `loglevel` contributes the level switch: below the level its methods are empty functions, so a silent line costs a call. Its
 * own methods end in `console`, which blocks the event loop while the journal stalls; they are replaced by the handlers.
 * @module
 */

import loglevel from "loglevel";
import type { WallMs } from "../domain/time.ts";
import { unreachable } from "../domain/unreachable.ts";
import { type LevelName, LOG_LEVELS, type LogEntry, type LogHandler, type LogRecord } from "./log_record.ts";

export interface LogOptions {
  readonly level: LevelName;
  readonly handlers: readonly LogHandler[];
  /** The wall clock. */
  readonly now: () => WallMs;
}

export interface Log {
  /** Hands the entry on as a record, unless its level is below the logger's. */
  readonly log: (entry: LogEntry) => void;
  readonly setLevel: (level: LevelName) => void;
}

export function createLog(options: LogOptions): Log {
  // A symbol is a name that nobody shares, as loglevel keeps one logger per name for the whole process.
  const base = loglevel.getLogger(Symbol("metald"));
  base.methodFactory = () => (record: LogRecord) => {
    for (const handler of options.handlers) handler.handle(record);
  };
  setLevel(options.level);

  function setLevel(level: LevelName): void {
    base.setLevel(methodOf(level), false);
  }

  function log(entry: LogEntry): void {
    base[methodOf(entry.levelName)]({
      msg: entry.msg,
      fields: entry.fields,
      level: LOG_LEVELS[entry.levelName],
      levelName: entry.levelName,
      loggerName: entry.component,
      datetime: options.now(),
    } satisfies LogRecord);
  }

  return { log, setLevel };
}

/** loglevel knows nothing above an error, so what is critical passes wherever errors pass. */
function methodOf(level: LevelName): "debug" | "info" | "warn" | "error" {
  switch (level) {
    case "DEBUG":
      return "debug";
    case "INFO":
      return "info";
    case "WARN":
      return "warn";
    case "ERROR":
    case "CRITICAL":
      return "error";
    default:
      return unreachable(level);
  }
}
