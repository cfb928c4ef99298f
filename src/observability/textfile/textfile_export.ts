/**
 * Exports metrics to node_exporter's textfile collector.
 * @module
 */

import type { ExportOutcome } from "../export_state.ts";
import type { MeterProvider } from "../metrics/meter_provider.ts";
import type { Export } from "../periodic_export.ts";
import { prometheusText } from "./prometheus_text.ts";
import { writeTextfile } from "./textfile_writer.ts";

export interface TextfileExportOptions {
  readonly path: string;
  readonly intervalMs: number;
  readonly meters: MeterProvider;
  readonly onOutcome: (outcome: ExportOutcome) => void;
}

export function textfileExport({ path, intervalMs, meters, onOutcome }: TextfileExportOptions): Export {
  return {
    intervalMs,
    timeoutMs: intervalMs,
    run: async () => {
      try {
        await writeTextfile(path, prometheusText(await meters.collect()));
      } catch (error) {
        onOutcome({ kind: "failed", error: error instanceof Error ? error.message : String(error) });
        return;
      }
      onOutcome({ kind: "accepted" });
    },
  };
}
