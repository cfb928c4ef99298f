/**
 * Pushes metrics to a collector.
 * @module
 */

import type { Attributes } from "@opentelemetry/api";
import type { ExportOutcome } from "../export_state.ts";
import type { MeterProvider } from "../metrics/meter_provider.ts";
import type { Export } from "../periodic_export.ts";
import { type Body, metricsBodies } from "./metrics_json.ts";
import type { SignalTarget } from "./otlp_plan.ts";
import type { OtlpSender, SendLimits } from "./otlp_sender.ts";

/** Before compression. A collector takes 20 MiB by default, a proxy before it often one. */
export const BODY_BYTES_MAX = 900_000;

export interface OtlpExportOptions {
  readonly target: SignalTarget;
  readonly sender: OtlpSender;
  readonly resource: Attributes;
  /** Milliseconds on a clock that only moves forward. */
  readonly monotonic: () => number;
  readonly onOutcome: (outcome: ExportOutcome) => void;
}

export function metricsExport(options: OtlpExportOptions & { readonly meters: MeterProvider }): Export {
  const { target, resource, meters, onOutcome } = options;
  return {
    intervalMs: target.intervalMs,
    timeoutMs: target.timeoutMs,
    run: async (limits) => {
      const bodies = metricsBodies(resource, await meters.collect(), BODY_BYTES_MAX);
      const outcome = await sendAll(bodies, options, limits);
      if (outcome !== undefined) onOutcome(outcome);
    },
  };
}

/**
 * One after the other within one deadline; the first that fails ends it, as the others would fail too.
 *
 * @returns undefined when there was nothing to send, or when the agent stopped meanwhile
 */
export async function sendAll(
  bodies: readonly Body[],
  { sender, monotonic }: Pick<OtlpExportOptions, "sender" | "monotonic">,
  { timeoutMs, signal }: SendLimits,
): Promise<ExportOutcome | undefined> {
  const deadlineAt = monotonic() + timeoutMs;
  let worst: ExportOutcome | undefined;
  for (const { json } of bodies) {
    const outcome = await sender.send(json, { timeoutMs: deadlineAt - monotonic(), signal });
    if (signal.aborted && outcome.kind === "failed") return undefined;
    if (outcome.kind === "failed") return outcome;
    if (worst === undefined || outcome.kind === "partial") worst = outcome;
  }
  return worst;
}
