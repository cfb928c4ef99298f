/**
 * The agent's telemetry as a whole: providers behind `@opentelemetry/api`, and where their numbers and spans go.
 *
 * Nothing here listens, waits for a reader, or keeps what could not be sent: metrics are cumulative, so the next export tells what a
 * lost one would have told, and spans are bounded. Exports begin with the reliability loop, that is after the instance lock: a second
 * agent must not replace the numbers of the first.
 * @module
 */

import { context, metrics, trace } from "@opentelemetry/api";
import { wallMs } from "../domain/time.ts";
import type { FleetObserver } from "../ports/fleet_observer.ts";
import type { Report } from "../ports/report.ts";
import { createExportState } from "./export_state.ts";
import { createFleetMetrics } from "./fleet_metrics.ts";
import { type Follow, followFleet } from "./fleet_traces.ts";
import { METER_NAME } from "./instrument_table.ts";
import type { Log } from "./log.ts";
import { startLoopLag } from "./loop_lag.ts";
import { MeterProvider } from "./metrics/meter_provider.ts";
import { metricsExport } from "./otlp/metrics_export.ts";
import type { Environment } from "./otlp/otlp_environment.ts";
import { otlpPlan, type SignalTarget } from "./otlp/otlp_plan.ts";
import { createOtlpSender } from "./otlp/otlp_sender.ts";
import type { OtlpSettings, TextfileSettings } from "./otlp/otlp_settings.ts";
import { tracesExport } from "./otlp/traces_export.ts";
import { type Export, startPeriodicExport } from "./periodic_export.ts";
import { resourceOf } from "./resource.ts";
import { textfileExport } from "./textfile/textfile_export.ts";
import { AsyncContextManager } from "./trace/async_context.ts";
import { TracerProvider } from "./trace/tracer_provider.ts";

/** The fleet is read by then, and an agent that ends after a minute has told something. */
const FIRST_EXPORT_AFTER_MS = 1_000;

export interface TelemetryOptions {
  readonly otlp: OtlpSettings;
  readonly textfile: TextfileSettings;
  readonly environment: Environment;
  readonly version: string;
  readonly registryPath: string;
  readonly log: Log;
}

export interface Telemetry {
  /** Counts an event. */
  readonly report: Report;
  /** To be called with each event once, before its line is written. */
  readonly follow: Follow;
  readonly fleetObserver: FleetObserver;
  /** Exports a last time, within `timeoutMs`. */
  stop(timeoutMs: number): Promise<void>;
}

/** With nowhere to export to, events are not counted and nothing runs. */
export function createTelemetry(options: TelemetryOptions): Telemetry {
  const { environment, log, textfile, version, registryPath } = options;
  const plan = otlpPlan(options.otlp, environment);
  for (const error of plan.complaints) {
    log.log({ levelName: "WARN", component: "reliability", msg: "telemetry variable ignored", fields: { error } });
  }
  const hasMetrics = plan.metrics !== undefined || textfile.path !== undefined;
  if (plan.isDisabled || (!hasMetrics && plan.traces === undefined)) return SILENT;

  const meters = new MeterProvider(() => wallMs(Date.now()));
  const tracers = new TracerProvider({ now: Date.now, sampleRatio: plan.sampleRatio });
  metrics.setGlobalMeterProvider(meters);
  trace.setGlobalTracerProvider(tracers);
  context.setGlobalContextManager(new AsyncContextManager());

  const monotonic = () => performance.now();
  const fleet = createFleetMetrics({ meter: meters.getMeter(METER_NAME, version), version, monotonic });
  const resource = resourceOf({ version, registryPath, attributes: plan.resourceAttributes });
  const stateOf = (exporter: string, target: string) =>
    createExportState({ exporter, target, log, monotonic, onFailed: fleet.exportFailed });
  const senderTo = (target: SignalTarget) => createOtlpSender(target, { monotonic, random: Math.random });

  const planned: Export[] = [];
  if (textfile.path !== undefined) {
    const onOutcome = stateOf("textfile", textfile.path);
    planned.push(textfileExport({ path: textfile.path, intervalMs: textfile.intervalMs, meters, onOutcome }));
  }
  if (plan.metrics !== undefined) {
    const { metrics: target } = plan;
    const onOutcome = stateOf("otlp_metrics", shown(target.url));
    planned.push(metricsExport({ target, sender: senderTo(target), resource, meters, monotonic, onOutcome }));
  }
  if (plan.traces !== undefined) {
    const { traces: target } = plan;
    const onOutcome = stateOf("otlp_traces", shown(target.url));
    planned.push(tracesExport({ target, sender: senderTo(target), resource, tracers, monotonic, onOutcome }));
  }

  const follow =
    plan.traces === undefined
      ? () => undefined
      : followFleet({
          tracer: tracers.getTracer(METER_NAME, version),
          now: Date.now,
          healthCheckSpans: plan.healthCheckSpans,
        });
  const exporters = lateStart(planned, fleet.loopLag);
  return {
    report: fleet.report,
    follow,
    fleetObserver: {
      attach(read) {
        exporters.start();
        return fleet.fleetObserver.attach(read);
      },
    },
    stop: exporters.stop,
  };
}

const SILENT: Telemetry = {
  report: () => undefined,
  follow: () => undefined,
  fleetObserver: { attach: () => () => undefined },
  stop: () => Promise.resolve(),
};

function lateStart(planned: readonly Export[], onLag: (lagMs: number) => void) {
  let started: { readonly stop: (timeoutMs: number) => Promise<void> }[] = [];
  return {
    start(): void {
      if (started.length > 0) return;
      const stopLag = startLoopLag(onLag);
      started = planned.map((each) => startPeriodicExport(each, Math.min(each.intervalMs, FIRST_EXPORT_AFTER_MS)));
      started.push({ stop: () => Promise.resolve(stopLag()) });
    },
    async stop(timeoutMs: number): Promise<void> {
      await Promise.all(started.map((each) => each.stop(timeoutMs)));
    },
  };
}

/** A user and a password may stand in a URL, and a token in its query. */
function shown({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}
