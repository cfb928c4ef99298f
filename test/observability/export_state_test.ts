import assert from "node:assert/strict";
import { test } from "node:test";
import { createExportState, type ExportOutcome } from "../../src/observability/export_state.ts";
import type { LogEntry } from "../../src/observability/log_record.ts";

const ACCEPTED: ExportOutcome = { kind: "accepted" };
const REFUSED: ExportOutcome = { kind: "failed", error: "connection refused" };
const SLOW: ExportOutcome = { kind: "failed", error: "no answer" };
const PARTIAL: ExportOutcome = { kind: "partial", error: "it rejected 3: old" };

for (const { name, outcomes, lines, failures } of [
  { name: "nothing while all is well", outcomes: [ACCEPTED, ACCEPTED], lines: [], failures: 0 },
  {
    name: "one line when it begins to fail, whatever the reasons after that",
    outcomes: [ACCEPTED, REFUSED, SLOW, REFUSED],
    lines: ["WARN telemetry export failed error=connection refused"],
    failures: 3,
  },
  {
    name: "one line when it works again, with the time between",
    outcomes: [REFUSED, REFUSED, ACCEPTED, ACCEPTED],
    lines: ["WARN telemetry export failed error=connection refused", "INFO telemetry export restored downtime=2s"],
    failures: 2,
  },
  {
    name: "one line when a part is rejected, which is no failure of the export",
    outcomes: [PARTIAL, PARTIAL, ACCEPTED],
    lines: ["WARN telemetry export partly rejected error=it rejected 3: old", "INFO telemetry export restored"],
    failures: 0,
  },
]) {
  test(`an exporter says ${name}`, () => {
    const said: string[] = [];
    let failed = 0;
    let now = 0;
    const log = (entry: LogEntry): void => {
      const { exporter, target, ...fields } = entry.fields;
      assert.deepEqual([exporter, target], ["otlp_metrics", "http://c/v1/metrics"]);
      const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${value}`);
      said.push(`${entry.levelName} ${entry.msg}${pairs.join("")}`);
    };
    const onOutcome = createExportState({
      exporter: "otlp_metrics",
      target: "http://c/v1/metrics",
      log: { log, setLevel: assert.fail },
      monotonic: () => now,
      onFailed: () => {
        failed += 1;
      },
    });
    for (const outcome of outcomes) {
      onOutcome(outcome);
      now += 1_000;
    }
    assert.deepEqual(said, lines);
    assert.equal(failed, failures);
  });
}
