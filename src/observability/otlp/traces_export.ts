/**
 * Pushes spans to a collector. A span that could not be sent is lost: the log has the same story.
 * @module
 */

import type { Export } from "../periodic_export.ts";
import type { TracerProvider } from "../trace/tracer_provider.ts";
import { BODY_BYTES_MAX, type OtlpExportOptions, sendAll } from "./metrics_export.ts";
import { tracesBodies } from "./traces_json.ts";

export function tracesExport(options: OtlpExportOptions & { readonly tracers: TracerProvider }): Export {
  const { target, resource, tracers } = options;
  return {
    intervalMs: target.intervalMs,
    timeoutMs: target.timeoutMs,
    run: (limits) => sendAll(async () => tracesBodies(resource, tracers.take().spans, BODY_BYTES_MAX), options, limits),
  };
}
