/**
 * Collected metrics in the text format of Prometheus, version 0.0.4:
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 *
 * Names are those that an OpenTelemetry collector makes of ours, so that a query works whichever way the numbers came.
 * No timestamps: node_exporter refuses a file that has them.
 * @module
 */

import type { Attributes } from "@opentelemetry/api";
import { unreachable } from "../../domain/unreachable.ts";
import type { HistogramPoint, Metric, ScopeMetrics } from "../metrics/metric_data.ts";

/** Ends in a line feed, unless there is nothing to say. */
export function prometheusText(collected: readonly ScopeMetrics[]): string {
  const lines: string[] = [];
  for (const { metrics } of collected) for (const metric of metrics) lines.push(...metricLines(metric));
  return lines.map((line) => `${line}\n`).join("");
}

function metricLines(metric: Metric): string[] {
  const name = nameOf(metric);
  const head = [`# HELP ${name} ${escapedHelp(metric.description)}`, `# TYPE ${name} ${typeOf(metric)}`];
  switch (metric.kind) {
    case "sum":
    case "gauge":
      return [
        ...head,
        ...metric.points.map((point) => `${name}${labels(point.attributes)} ${numberText(point.value)}`),
      ];
    case "histogram":
      return [...head, ...metric.points.flatMap((point) => histogramLines(name, metric.bounds, point))];
    default:
      return unreachable(metric);
  }
}

function histogramLines(name: string, bounds: readonly number[], point: HistogramPoint): string[] {
  const lines: string[] = [];
  let below = 0;
  for (const [index, bound] of [...bounds, Number.POSITIVE_INFINITY].entries()) {
    below += point.bucketCounts[index] ?? 0;
    lines.push(`${name}_bucket${labels(point.attributes, numberText(bound))} ${below}`);
  }
  const suffix = labels(point.attributes);
  lines.push(`${name}_sum${suffix} ${numberText(point.sum)}`, `${name}_count${suffix} ${point.count}`);
  return lines;
}

function typeOf(metric: Metric): "counter" | "gauge" | "histogram" {
  if (metric.kind === "sum") return metric.isMonotonic ? "counter" : "gauge";
  return metric.kind;
}

/** Our names carry their unit and their `_total` already; other characters than Prometheus knows become underscores. */
function nameOf({ name }: Metric): string {
  return name.replaceAll(/[^a-zA-Z0-9_:]/g, "_");
}

function labels(attributes: Attributes, le?: string): string {
  const pairs = Object.entries(attributes).map(
    ([key, value]) => `${key.replaceAll(/[^a-zA-Z0-9_]/g, "_")}="${escapedLabel(String(value))}"`,
  );
  if (le !== undefined) pairs.push(`le="${le}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

function escapedHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapedLabel(text: string): string {
  return escapedHelp(text).replaceAll('"', '\\"');
}
