/**
 * Where metrics and traces go, from the configuration's section `telemetry.otlp` and the standard variables.
 *
 * What stands in the file goes before a variable, as the file is about this agent and a variable often about all programs. Without an
 * endpoint nothing is pushed: the standard's default is a collector on this host, which most hosts do not have.
 * @module
 */

import type { Attributes } from "@opentelemetry/api";
import { type Environment, OtlpEnvironment, type Signal } from "./otlp_environment.ts";
import type { OtlpSettings } from "./otlp_settings.ts";

/** https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and the variables of the periodic reader and the span processor. */
const TIMEOUT_MS = 10_000;
const METRICS_INTERVAL_MS = 60_000;
const TRACES_INTERVAL_MS = 5_000;

export interface SignalTarget {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: "gzip" | "none";
  readonly tls: {
    readonly certificate: string | undefined;
    readonly clientCertificate: string | undefined;
    readonly clientKey: string | undefined;
  };
  readonly timeoutMs: number;
  readonly intervalMs: number;
}

export interface OtlpPlan {
  /** `OTEL_SDK_DISABLED`: there are no metrics and no traces at all, in no form. */
  readonly isDisabled: boolean;
  readonly metrics: SignalTarget | undefined;
  readonly traces: SignalTarget | undefined;
  /** Over those that the agent knows of itself. */
  readonly resourceAttributes: Attributes;
  /** The share of traces that is exported. */
  readonly sampleRatio: number;
  readonly healthCheckSpans: "failures" | "all";
  /** Variables that were ignored, one line each. */
  readonly complaints: readonly string[];
}

export function otlpPlan(settings: OtlpSettings, variables: Environment): OtlpPlan {
  const environment = new OtlpEnvironment(variables);
  const metricsWanted = settings.metrics ?? isWanted(environment, "OTEL_METRICS_EXPORTER");
  const tracesWanted = settings.traces ?? isWanted(environment, "OTEL_TRACES_EXPORTER");
  const metrics = metricsWanted ? targetOf("METRICS", settings, environment) : undefined;
  const traces = tracesWanted ? targetOf("TRACES", settings, environment) : undefined;
  const serviceName =
    settings.serviceName ?? settings.resourceAttributes?.["service.name"] ?? environment.text("OTEL_SERVICE_NAME");
  return {
    isDisabled: environment.isTrue("OTEL_SDK_DISABLED"),
    metrics,
    traces,
    resourceAttributes: {
      ...environment.pairs("OTEL_RESOURCE_ATTRIBUTES"),
      ...settings.resourceAttributes,
      ...(serviceName === undefined ? {} : { "service.name": serviceName }),
    },
    sampleRatio: settings.sampleRatio ?? sampleRatioOf(environment),
    healthCheckSpans: settings.healthCheckSpans ?? "failures",
    complaints: [...new Set(environment.complaints)],
  };
}

function isWanted(environment: OtlpEnvironment, name: string): boolean {
  return environment.oneOf(name, "otlp", "none") !== "none";
}

function targetOf(signal: Signal, settings: OtlpSettings, environment: OtlpEnvironment): SignalTarget | undefined {
  const url = endpointOf(signal, settings, environment);
  if (url === undefined) return undefined;
  // Another protocol is asked of all programs on a host, and a collector that speaks it mostly speaks this one too.
  environment.ofSignal(signal, "PROTOCOL", (name) => environment.oneOf(name, "http/json"));
  const text = (suffix: string) => environment.ofSignal(signal, suffix, (name) => environment.text(name));
  const timeoutMs =
    settings.timeoutMs ??
    environment.ofSignal(signal, "TIMEOUT", (name) => environment.milliseconds(name)) ??
    (signal === "METRICS" ? environment.milliseconds("OTEL_METRIC_EXPORT_TIMEOUT") : undefined) ??
    TIMEOUT_MS;
  const intervalMs =
    signal === "METRICS"
      ? (settings.intervalMs ?? environment.milliseconds("OTEL_METRIC_EXPORT_INTERVAL") ?? METRICS_INTERVAL_MS)
      : (environment.milliseconds("OTEL_BSP_SCHEDULE_DELAY") ?? TRACES_INTERVAL_MS);
  return {
    url,
    headers: settings.headers ?? environment.ofSignal(signal, "HEADERS", (name) => environment.headers(name)) ?? {},
    compression:
      settings.compression ??
      environment.ofSignal(signal, "COMPRESSION", (name) => environment.oneOf(name, "gzip", "none")) ??
      "none",
    tls: {
      certificate: settings.certificate ?? text("CERTIFICATE"),
      clientCertificate: settings.clientCertificate ?? text("CLIENT_CERTIFICATE"),
      clientKey: settings.clientKey ?? text("CLIENT_KEY"),
    },
    timeoutMs,
    intervalMs,
  };
}

function endpointOf(signal: Signal, settings: OtlpSettings, environment: OtlpEnvironment): URL | undefined {
  const own = signal === "METRICS" ? settings.metricsEndpoint : settings.tracesEndpoint;
  if (own !== undefined) return new URL(own);
  if (settings.endpoint !== undefined) return appended(settings.endpoint, signal);
  const ownVariable = environment.url(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`);
  if (ownVariable !== undefined) return new URL(ownVariable);
  const base = environment.url("OTEL_EXPORTER_OTLP_ENDPOINT");
  return base === undefined ? undefined : appended(base, signal);
}

function appended(base: string, signal: Signal): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/${signal.toLowerCase()}`;
  return url;
}

function sampleRatioOf(environment: OtlpEnvironment): number {
  const sampler = environment.oneOf(
    "OTEL_TRACES_SAMPLER",
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
  );
  switch (sampler) {
    case "always_off":
    case "parentbased_always_off":
      return 0;
    case "traceidratio":
    case "parentbased_traceidratio":
      return environment.ratio("OTEL_TRACES_SAMPLER_ARG") ?? 1;
    default:
      return 1;
  }
}
