import assert from "node:assert/strict";
import { test } from "node:test";
import { wallMs } from "../../src/domain/time.ts";
import { createLog } from "../../src/observability/log.ts";
import type { LevelName, LogRecord } from "../../src/observability/log_record.ts";
import { logfmt } from "../../src/observability/logfmt.ts";
import { lineHandler } from "../../src/observability/stdout_log.ts";

const LEVELS: readonly LevelName[] = ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"];

function recordingLog(level: LevelName) {
  const records: LogRecord[] = [];
  const log = createLog({ level, now: () => wallMs(1), handlers: [{ handle: (record) => records.push(record) }] });
  const speakAtEveryLevel = () => {
    for (const levelName of LEVELS) log.log({ levelName, component: "reliability", msg: "m", fields: { a: 1 } });
  };
  return { log, records, speakAtEveryLevel };
}

test("createLog() makes records with the levels of @std/log", () => {
  const { records, speakAtEveryLevel } = recordingLog("DEBUG");
  speakAtEveryLevel();
  assert.deepEqual(
    records.map(({ level, levelName }) => [level, levelName]),
    [
      [10, "DEBUG"],
      [20, "INFO"],
      [30, "WARN"],
      [40, "ERROR"],
      [50, "CRITICAL"],
    ],
  );
  assert.deepEqual(records[0], {
    msg: "m",
    fields: { a: 1 },
    level: 10,
    levelName: "DEBUG",
    loggerName: "reliability",
    datetime: 1,
  });
});

test("setLevel() changes what passes while the log is in use, as a reload does", () => {
  const { log, records, speakAtEveryLevel } = recordingLog("INFO");
  speakAtEveryLevel();
  assert.deepEqual(
    records.splice(0).map(({ levelName }) => levelName),
    ["INFO", "WARN", "ERROR", "CRITICAL"],
  );
  log.setLevel("ERROR");
  speakAtEveryLevel();
  assert.deepEqual(
    records.map(({ levelName }) => levelName),
    ["ERROR", "CRITICAL"],
  );
});

test("two logs do not share a level, although loglevel keeps its loggers by name", () => {
  const loud = recordingLog("DEBUG");
  const quiet = recordingLog("CRITICAL");
  loud.speakAtEveryLevel();
  quiet.speakAtEveryLevel();
  assert.equal(loud.records.length, 5);
  assert.equal(quiet.records.length, 2);
});

test("lineHandler() begins a line with its priority for the journal only", () => {
  const lines: string[] = [];
  const record: LogRecord = {
    msg: "m",
    fields: {},
    level: 40,
    levelName: "ERROR",
    loggerName: "reliability",
    datetime: wallMs(0),
  };
  for (const toJournal of [true, false]) {
    lineHandler((line) => lines.push(line), logfmt, toJournal).handle(record);
  }
  assert.deepEqual(lines, [
    "<3>time=1970-01-01T00:00:00.000Z level=ERROR msg=m component=reliability",
    "time=1970-01-01T00:00:00.000Z level=ERROR msg=m component=reliability",
  ]);
});
