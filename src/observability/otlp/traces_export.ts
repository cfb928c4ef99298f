/**
 * Pushes spans to a collector. A span that could not be sent is lost: the log has the same story.
 * @module
 */

import type { ExportOutcome } from "../export_state.ts";
import type { Export } from "../periodic_export.ts";
import { QUEUED_SPANS_MAX, type TracerProvider } from "../trace/tracer_provider.ts";
import { BODY_BYTES_MAX, type OtlpExportOptions, sendAll } from "./metrics_export.ts";
import { tracesBodies } from "./traces_json.ts";

export function tracesExport(options: OtlpExportOptions & { readonly tracers: TracerProvider }): Export {
  const { target, resource, tracers } = options;
  return {
    intervalMs: target.intervalMs,
    timeoutMs: target.timeoutMs,
    run: async (limits) => {
      const { spans, dropped } = tracers.take();
      const lost = { kind: "partial", error: `${dropped} spans were dropped, as ${QUEUED_SPANS_MAX} waited` } as const;
      const onOutcome = (outcome: ExportOutcome): void =>
        options.onOutcome(dropped > 0 && outcome.kind === "accepted" ? lost : outcome);
      await sendAll(async () => tracesBodies(resource, spans, BODY_BYTES_MAX), { ...options, onOutcome }, limits);
    },
  };
}
