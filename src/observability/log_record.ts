/**
 * What one line of the log is before it becomes text. The levels and names are those of Deno's `@std/log`:
 * https://jsr.io/@std/log/doc
 *
 * The message is a constant that operators grep for; everything that varies stands in a field.
 * @module
 */

import type { WallMs } from "../domain/time.ts";

export const LOG_LEVELS = { DEBUG: 10, INFO: 20, WARN: 30, ERROR: 40, CRITICAL: 50 } as const;

export type LevelName = keyof typeof LOG_LEVELS;

export type LogLevel = (typeof LOG_LEVELS)[LevelName];

export type Component = "reliability" | "vm_lifecycle" | "vm_health" | "vm_recovery";

/** A field that is undefined is left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** What somebody has to say, before it has a time. */
export interface LogEntry {
  readonly levelName: LevelName;
  readonly component: Component;
  readonly msg: string;
  readonly fields: LogFields;
}

export interface LogRecord {
  readonly msg: string;
  readonly fields: LogFields;
  readonly level: LogLevel;
  readonly levelName: LevelName;
  /** The component that speaks. */
  readonly loggerName: Component;
  readonly datetime: WallMs;
}

/** Writes a record somewhere, if its level is high enough for it. It never throws. */
export interface LogHandler {
  readonly handle: (record: LogRecord) => void;
}

/** A pure function from a record to one line without its end. */
export type LogFormat = (record: LogRecord) => string;
