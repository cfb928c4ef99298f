/**
 * The section `telemetry`: a push to a collector by OTLP, and a file for node_exporter. Both are off by default.
 *
 * The keys of `otlp` mean what the standard variables mean, and go before them:
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 * @module
 */

import { z } from "zod";
import { absolutePath, duration, flag, isAbsolutePath, numberBetween, oneOf, section } from "./leaves.ts";

const url = z.custom<string>(
  (value) => typeof value === "string" && /^https?:\/\//i.test(value) && URL.canParse(value),
  "it must be a URL with http or https",
);

const textfilePath = z.custom<string>(
  (value) => isAbsolutePath(value) && value.endsWith(".prom"),
  "it must be an absolute path that ends in .prom, as node_exporter reads no other file",
);

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const headers = z.custom<Readonly<Record<string, string>>>(
  (value) =>
    isTextRecord(value) &&
    Object.entries(value).every(([name, text]) => headerName.test(name) && /^[\t\x20-\x7e]*$/.test(text)),
  "it must be an object of header names and texts",
);
const attributes = z.custom<Readonly<Record<string, string>>>(isTextRecord, "it must be an object of texts");
const text = z.custom<string>((value) => typeof value === "string" && value !== "", "it must be a text");

export const telemetryFields = {
  otlp: section({
    endpoint: url.exactOptional(),
    metrics_endpoint: url.exactOptional(),
    traces_endpoint: url.exactOptional(),
    metrics: flag.exactOptional(),
    traces: flag.exactOptional(),
    headers: headers.exactOptional(),
    timeout: duration("10ms", "10m").exactOptional(),
    compression: oneOf("gzip", "none").exactOptional(),
    certificate: absolutePath.exactOptional(),
    client_certificate: absolutePath.exactOptional(),
    client_key: absolutePath.exactOptional(),
    interval: duration("100ms", "1d").exactOptional(),
    service_name: text.exactOptional(),
    resource_attributes: attributes.exactOptional(),
    sample_ratio: numberBetween(0, 1).exactOptional(),
    health_check_spans: oneOf("failures", "all").exactOptional(),
  }),
  textfile: section({
    path: textfilePath.exactOptional(),
    interval: duration("100ms", "1d").exactOptional(),
  }),
};

const schema = section(telemetryFields);

/** For suggestions, where a key is misspelt. */
export const TELEMETRY_KEYS = Object.entries({
  otlp: telemetryFields.otlp.shape,
  textfile: telemetryFields.textfile.shape,
}).flatMap(([name, shape]) => Object.keys(shape).map((key) => `telemetry.${name}.${key}`));

const TEXTFILE_INTERVAL_MS = 15_000;

/** Undefined is what the file does not say; then a variable may. */
export interface TelemetrySettings {
  readonly otlp: {
    readonly endpoint: string | undefined;
    readonly metricsEndpoint: string | undefined;
    readonly tracesEndpoint: string | undefined;
    readonly metrics: boolean | undefined;
    readonly traces: boolean | undefined;
    readonly headers: Readonly<Record<string, string>> | undefined;
    readonly timeoutMs: number | undefined;
    readonly compression: "gzip" | "none" | undefined;
    readonly certificate: string | undefined;
    readonly clientCertificate: string | undefined;
    readonly clientKey: string | undefined;
    readonly intervalMs: number | undefined;
    readonly serviceName: string | undefined;
    readonly resourceAttributes: Readonly<Record<string, string>> | undefined;
    readonly sampleRatio: number | undefined;
    readonly healthCheckSpans: "failures" | "all" | undefined;
  };
  readonly textfile: { readonly path: string | undefined; readonly intervalMs: number };
}

export function telemetrySettings({ otlp, textfile }: z.infer<typeof schema>): TelemetrySettings {
  return {
    otlp: {
      endpoint: otlp.endpoint,
      metricsEndpoint: otlp.metrics_endpoint,
      tracesEndpoint: otlp.traces_endpoint,
      metrics: otlp.metrics,
      traces: otlp.traces,
      headers: otlp.headers,
      timeoutMs: otlp.timeout,
      compression: otlp.compression,
      certificate: otlp.certificate,
      clientCertificate: otlp.client_certificate,
      clientKey: otlp.client_key,
      intervalMs: otlp.interval,
      serviceName: otlp.service_name,
      resourceAttributes: otlp.resource_attributes,
      sampleRatio: otlp.sample_ratio,
      healthCheckSpans: otlp.health_check_spans,
    },
    textfile: { path: textfile.path, intervalMs: textfile.interval ?? TEXTFILE_INTERVAL_MS },
  };
}

function isTextRecord(value: unknown): value is Readonly<Record<string, string>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((each) => typeof each === "string");
}
