/**
 * Collected metrics as bodies of `POST /v1/metrics`: the message `ExportMetricsServiceRequest` in JSON.
 *
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto
 * @module
 */

import type { Attributes } from "@opentelemetry/api";
import { unreachable } from "../../domain/unreachable.ts";
import type { HistogramPoint, Metric, NumberPoint, Scope, ScopeMetrics } from "../metrics/metric_data.ts";
import { keyValues, unixNano } from "./any_value.ts";
import { halves, packed } from "./packed.ts";

const CUMULATIVE = 2;

/** One export: a body, and how many points the collector is given in it. */
export interface Body {
  readonly json: string;
  readonly items: number;
  /** The same as two bodies; none where there is one item. */
  readonly halved: () => readonly Body[];
}

/**
 * No body without a point. What is larger than `bytesMax` is split between points; a single point is never split.
 *
 * @param bytesMax of a body before compression, but for the envelope
 */
export function metricsBodies(resource: Attributes, collected: readonly ScopeMetrics[], bytesMax: number): Body[] {
  const pieces = collected.flatMap(({ scope, metrics }) =>
    metrics.flatMap((metric) => metric.points.map((point) => ({ scope, metric, point: pointJson(metric, point) }))),
  );
  return packed(pieces, ({ metric, point }) => bytesOf(metric, point), bytesMax).map((group) =>
    bodyOf(resource, group),
  );
}

function bodyOf(resource: Attributes, group: readonly Piece[]): Body {
  return {
    json: JSON.stringify(envelope(resource, group)),
    items: group.length,
    halved: () => halves(group).map((half) => bodyOf(resource, half)),
  };
}

interface Piece {
  readonly scope: Scope;
  readonly metric: Metric;
  readonly point: object;
}

/** Each point is taken to carry its metric's head, so that the sum is never too small. */
function bytesOf(metric: Metric, point: object): number {
  return JSON.stringify(point).length + metric.name.length + metric.description.length + 200;
}

function envelope(resource: Attributes, pieces: readonly Piece[]): object {
  const scopes = new Map<Scope, Map<Metric, object[]>>();
  for (const { scope, metric, point } of pieces) {
    const metrics = scopes.get(scope) ?? new Map<Metric, object[]>();
    scopes.set(scope, metrics);
    const points = metrics.get(metric) ?? [];
    metrics.set(metric, points);
    points.push(point);
  }
  const scopeMetrics = [...scopes].map(([scope, metrics]) => ({
    scope: { name: scope.name, version: scope.version },
    metrics: [...metrics].map(([metric, points]) => metricJson(metric, points)),
    schemaUrl: scope.schemaUrl,
  }));
  return { resourceMetrics: [{ resource: { attributes: keyValues(resource) }, scopeMetrics }] };
}

function metricJson(metric: Metric, dataPoints: readonly object[]): object {
  const head = { name: metric.name, description: metric.description, unit: metric.unit };
  switch (metric.kind) {
    case "sum":
      return {
        ...head,
        sum: { aggregationTemporality: CUMULATIVE, isMonotonic: metric.isMonotonic, dataPoints },
      };
    case "gauge":
      return { ...head, gauge: { dataPoints } };
    case "histogram":
      return { ...head, histogram: { aggregationTemporality: CUMULATIVE, dataPoints } };
    default:
      return unreachable(metric);
  }
}

function pointJson(metric: Metric, point: NumberPoint | HistogramPoint): object {
  const { attributes, startAt, at } = point;
  const head = {
    attributes: keyValues(attributes),
    // A clock that was set back must not make a series end before it began.
    startTimeUnixNano: unixNano(Math.min(startAt, at)),
    timeUnixNano: unixNano(at),
  };
  if ("bucketCounts" in point) {
    const { count, sum, min, max, bucketCounts } = point;
    const extremes = count > 0 ? { min, max } : {};
    return {
      ...head,
      count: String(count),
      sum,
      bucketCounts: bucketCounts.map(String),
      explicitBounds: metric.kind === "histogram" ? metric.bounds : [],
      ...extremes,
    };
  }
  const isInteger = metric.kind !== "histogram" && metric.isInteger;
  return { ...head, ...(isInteger ? { asInt: String(point.value) } : { asDouble: point.value }) };
}
