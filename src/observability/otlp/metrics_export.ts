/**
 * Pushes metrics to a collector.
 * @module
 */

import type { Attributes } from "@opentelemetry/api";
import { unreachable } from "../../domain/unreachable.ts";
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
  const { target, resource, meters } = options;
  return {
    intervalMs: target.intervalMs,
    timeoutMs: target.timeoutMs,
    run: (limits) =>
      sendAll(async () => metricsBodies(resource, await meters.collect(), BODY_BYTES_MAX), options, limits),
  };
}

/**
 * One after the other within one deadline; the first that fails ends it, as the others would fail too. There is no outcome when there
 * was nothing to send, or when the agent stopped meanwhile. What is too large for the collector, or for a proxy before it, is halved until
 * it is taken or is a single item.
 *
 * @param make may be rejected: what cannot be put into words counts as not sent
 */
export async function sendAll(
  make: () => Promise<readonly Body[]>,
  options: Pick<OtlpExportOptions, "sender" | "monotonic" | "onOutcome">,
  limits: SendLimits,
): Promise<void> {
  let outcome: ExportOutcome | undefined;
  try {
    outcome = await sent(await make(), options, limits);
  } catch (error) {
    outcome = { kind: "failed", error: error instanceof Error ? error.message : String(error) };
  }
  if (outcome !== undefined) options.onOutcome(outcome);
}

async function sent(
  bodies: readonly Body[],
  { sender, monotonic }: Pick<OtlpExportOptions, "sender" | "monotonic">,
  { timeoutMs, signal }: SendLimits,
): Promise<ExportOutcome | undefined> {
  const deadlineAt = monotonic() + timeoutMs;
  const left = [...bodies];
  let worst: ExportOutcome | undefined;
  for (let body = left.shift(); body !== undefined; body = left.shift()) {
    const outcome = await sender.send(body.json, { timeoutMs: deadlineAt - monotonic(), signal });
    switch (outcome.kind) {
      case "too_large": {
        const halved = body.halved();
        if (halved.length === 0) return { kind: "failed", error: outcome.error };
        left.unshift(...halved);
        break;
      }
      case "failed":
        return signal.aborted ? undefined : outcome;
      case "partial":
        worst = outcome;
        break;
      case "accepted":
        worst ??= outcome;
        break;
      default:
        return unreachable(outcome);
    }
  }
  return worst;
}
