/**
 * Says in the log when a destination begins to fail and when it works again, and nothing between.
 * @module
 */

import { durationText } from "./duration_text.ts";
import type { Log } from "./log.ts";
import type { LogEntry } from "./log_record.ts";

export type ExportOutcome =
  | { readonly kind: "accepted" }
  /** A part was rejected and is lost; the rest arrived. */
  | { readonly kind: "partial"; readonly error: string }
  | { readonly kind: "failed"; readonly error: string };

export interface ExportStateOptions {
  /** `otlp_metrics`, `otlp_traces`, `textfile`. */
  readonly exporter: string;
  /** Where to, without secrets. */
  readonly target: string;
  readonly log: Log;
  /** Milliseconds on a clock that only moves forward. */
  readonly monotonic: () => number;
  /** Counts each failed export. */
  readonly onFailed: () => void;
}

/** @returns to be called with the outcome of each export */
export function createExportState(options: ExportStateOptions): (outcome: ExportOutcome) => void {
  const { exporter, target, log, monotonic, onFailed } = options;
  let state: ExportOutcome["kind"] = "accepted";
  let since = 0;

  const say = (levelName: LogEntry["levelName"], msg: string, fields: LogEntry["fields"]): void =>
    log.log({ levelName, component: "reliability", msg, fields: { exporter, target, ...fields } });

  return (outcome) => {
    if (outcome.kind === "failed") onFailed();
    if (outcome.kind === state) return;
    const downtime = durationText(monotonic() - since);
    const before = state;
    state = outcome.kind;
    since = monotonic();
    if (outcome.kind === "failed") say("WARN", "telemetry export failed", { error: outcome.error });
    else if (outcome.kind === "partial") say("WARN", "telemetry export partly rejected", { error: outcome.error });
    else say("INFO", "telemetry export restored", before === "failed" ? { downtime } : {});
  };
}
