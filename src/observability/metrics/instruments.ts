/**
 * Instruments that are told each measurement: counter, up-down counter, gauge, histogram.
 *
 * Recording is on the agent's hot path: it finds a series and changes a number. A value that is not finite is dropped, as one NaN
 * would spoil a sum for ever and has no form in JSON; so is a negative one where the instrument cannot go down:
 * https://opentelemetry.io/docs/specs/otel/metrics/api/#counter-operations
 * @module
 */

import type { Attributes, Counter, Gauge, Histogram, UpDownCounter } from "@opentelemetry/api";
import type { WallMs } from "../../domain/time.ts";
import type { Metric } from "./metric_data.ts";
import { type Series, SeriesTable } from "./series_table.ts";

export interface InstrumentDescription {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly isInteger: boolean;
}

/** An instrument as a collection sees it. */
export interface Collected {
  /** @param at the instant of the collection */
  collect(at: WallMs): Metric;
}

interface Clocked {
  readonly now: () => WallMs;
}

interface Total {
  value: number;
}

const emptyTotal = (): Total => ({ value: 0 });

export class SumInstrument implements Counter, UpDownCounter, Collected {
  readonly #description: InstrumentDescription;
  readonly #isMonotonic: boolean;
  readonly #series: SeriesTable<Total>;

  constructor(description: InstrumentDescription, options: Clocked & { readonly isMonotonic: boolean }) {
    this.#description = description;
    this.#isMonotonic = options.isMonotonic;
    this.#series = new SeriesTable({ empty: emptyTotal, now: options.now });
  }

  add(value: number, attributes?: Attributes): void {
    if (!Number.isFinite(value) || (this.#isMonotonic && value < 0)) return;
    this.#series.at(attributes).value += this.#description.isInteger ? Math.trunc(value) : value;
  }

  collect(at: WallMs): Metric {
    const points = this.#series.all().map((series) => numberPoint(series, at));
    return { ...this.#description, kind: "sum", isMonotonic: this.#isMonotonic, points };
  }
}

export class GaugeInstrument implements Gauge, Collected {
  readonly #description: InstrumentDescription;
  readonly #series: SeriesTable<Total>;

  constructor(description: InstrumentDescription, options: Clocked) {
    this.#description = description;
    this.#series = new SeriesTable({ empty: emptyTotal, now: options.now });
  }

  record(value: number, attributes?: Attributes): void {
    if (!Number.isFinite(value)) return;
    this.#series.at(attributes).value = this.#description.isInteger ? Math.trunc(value) : value;
  }

  collect(at: WallMs): Metric {
    const points = this.#series.all().map((series) => numberPoint(series, at));
    return { ...this.#description, kind: "gauge", points };
  }
}

interface Distribution {
  count: number;
  sum: number;
  min: number;
  max: number;
  readonly bucketCounts: number[];
}

export class HistogramInstrument implements Histogram, Collected {
  readonly #description: InstrumentDescription;
  readonly #bounds: readonly number[];
  readonly #series: SeriesTable<Distribution>;

  /** @param options.bounds ascending */
  constructor(description: InstrumentDescription, options: Clocked & { readonly bounds: readonly number[] }) {
    this.#description = description;
    this.#bounds = options.bounds;
    const empty = (): Distribution => ({
      count: 0,
      sum: 0,
      min: Number.POSITIVE_INFINITY,
      max: Number.NEGATIVE_INFINITY,
      bucketCounts: new Array<number>(this.#bounds.length + 1).fill(0),
    });
    this.#series = new SeriesTable({ empty, now: options.now });
  }

  /** Makes the series be there before anything is recorded. */
  begin(attributes: Attributes): void {
    this.#series.at(attributes);
  }

  record(value: number, attributes?: Attributes): void {
    if (!Number.isFinite(value) || value < 0) return;
    const amount = this.#description.isInteger ? Math.trunc(value) : value;
    const distribution = this.#series.at(attributes);
    distribution.count += 1;
    distribution.sum += amount;
    if (amount < distribution.min) distribution.min = amount;
    if (amount > distribution.max) distribution.max = amount;
    const bucket = this.#bucketOf(amount);
    distribution.bucketCounts[bucket] = (distribution.bucketCounts[bucket] ?? 0) + 1;
  }

  collect(at: WallMs): Metric {
    const { name, description, unit } = this.#description;
    const points = this.#series.all().map(({ attributes, startAt, accumulator }) => ({
      ...accumulator,
      attributes,
      startAt,
      at,
      bucketCounts: [...accumulator.bucketCounts],
    }));
    return { name, description, unit, kind: "histogram", bounds: this.#bounds, points };
  }

  #bucketOf(value: number): number {
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= (bounds[middle] ?? Number.POSITIVE_INFINITY)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function numberPoint({ attributes, startAt, accumulator }: Series<Total>, at: WallMs) {
  return { attributes, startAt, at, value: accumulator.value };
}
