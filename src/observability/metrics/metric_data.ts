/**
 * What a collection of metrics gives: every series with its value since it began (cumulative temporality).
 *
 * The words are those of the data model: https://opentelemetry.io/docs/specs/otel/metrics/data-model/
 * @module
 */

import type { Attributes } from "@opentelemetry/api";
import type { WallMs } from "../../domain/time.ts";

interface Point {
  readonly attributes: Attributes;
  /** When the series began: what was counted before it is not in the value. */
  readonly startAt: WallMs;
  /** When it was collected. */
  readonly at: WallMs;
}

export interface NumberPoint extends Point {
  readonly value: number;
}

export interface HistogramPoint extends Point {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  /** One more than there are bounds; the last counts what lies above all of them. */
  readonly bucketCounts: readonly number[];
}

interface Described {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
}

export interface SumMetric extends Described {
  readonly kind: "sum";
  readonly isMonotonic: boolean;
  readonly isInteger: boolean;
  readonly points: readonly NumberPoint[];
}

export interface GaugeMetric extends Described {
  readonly kind: "gauge";
  readonly isInteger: boolean;
  readonly points: readonly NumberPoint[];
}

export interface HistogramMetric extends Described {
  readonly kind: "histogram";
  /** Upper bounds, each inclusive, ascending. */
  readonly bounds: readonly number[];
  readonly points: readonly HistogramPoint[];
}

export type Metric = SumMetric | GaugeMetric | HistogramMetric;

/** Who made the instruments. */
export interface Scope {
  readonly name: string;
  readonly version: string | undefined;
  readonly schemaUrl: string | undefined;
}

export interface ScopeMetrics {
  readonly scope: Scope;
  /** None without points. */
  readonly metrics: readonly Metric[];
}

export function pointCount(collected: readonly ScopeMetrics[]): number {
  let count = 0;
  for (const { metrics } of collected) for (const { points } of metrics) count += points.length;
  return count;
}
