/**
 * The series of one instrument: one accumulator for each set of attributes, up to a cap.
 *
 * An attribute with unbounded values would grow the agent and break the store behind the collector. So beyond the cap all sets
 * share one series with the attribute `otel.metric.overflow`, and nothing is lost but the distinction:
 * https://opentelemetry.io/docs/specs/otel/metrics/sdk/#cardinality-limits
 * @module
 */

import type { Attributes } from "@opentelemetry/api";
import type { WallMs } from "../../domain/time.ts";

/** With the overflow series. */
export const SERIES_MAX = 2_000;

const OVERFLOW: Attributes = { "otel.metric.overflow": true };
const NONE: Attributes = {};

export interface Series<Accumulator> {
  readonly attributes: Attributes;
  readonly startAt: WallMs;
  readonly accumulator: Accumulator;
}

export interface SeriesTableOptions<Accumulator> {
  readonly empty: () => Accumulator;
  /** The wall clock. */
  readonly now: () => WallMs;
  /** @default {SERIES_MAX} */
  readonly seriesMax?: number;
}

export class SeriesTable<Accumulator> {
  readonly #options: SeriesTableOptions<Accumulator>;
  readonly #seriesMax: number;
  readonly #byKey = new Map<string, Series<Accumulator>>();
  /** Most instruments have no attributes: their only series needs no key. */
  #plain: Series<Accumulator> | undefined;
  #overflow: Series<Accumulator> | undefined;

  constructor(options: SeriesTableOptions<Accumulator>) {
    this.#options = options;
    this.#seriesMax = options.seriesMax ?? SERIES_MAX;
  }

  /** The series of these attributes, or the one that all others share. */
  at(attributes: Attributes | undefined): Accumulator {
    const key = attributes === undefined ? "" : keyOf(attributes);
    if (key === "") {
      if (this.#plain !== undefined) return this.#plain.accumulator;
      if (this.#isFull()) return this.#shared();
      this.#plain = this.#begin(NONE);
      return this.#plain.accumulator;
    }
    const known = this.#byKey.get(key);
    if (known !== undefined) return known.accumulator;
    if (this.#isFull()) return this.#shared();
    const begun = this.#begin(definedOf(attributes ?? NONE));
    this.#byKey.set(key, begun);
    return begun.accumulator;
  }

  /** In the order in which they began; the shared one last. */
  all(): Series<Accumulator>[] {
    const series = [...this.#byKey.values()];
    if (this.#plain !== undefined) series.unshift(this.#plain);
    if (this.#overflow !== undefined) series.push(this.#overflow);
    return series;
  }

  #isFull(): boolean {
    return this.#byKey.size + (this.#plain === undefined ? 0 : 1) >= this.#seriesMax - 1;
  }

  #shared(): Accumulator {
    this.#overflow ??= this.#begin(OVERFLOW);
    return this.#overflow.accumulator;
  }

  #begin(attributes: Attributes): Series<Accumulator> {
    return { attributes, startAt: this.#options.now(), accumulator: this.#options.empty() };
  }
}

/**
 * One text per set of attributes, whatever their order; empty for none. What has no value (null, undefined) is no attribute.
 * A callback's own object must not be the key, as it may change it afterwards.
 */
function keyOf(attributes: Attributes): string {
  let only: string | undefined;
  let keys: string[] | undefined;
  for (const key in attributes) {
    const value = attributes[key];
    if (value === undefined || value === null) continue;
    if (only === undefined) only = key;
    else if (keys === undefined) keys = [only, key];
    else keys.push(key);
  }
  if (only === undefined) return "";
  if (keys === undefined) {
    const value = attributes[only];
    // A text is by far the most frequent; the type's letter keeps the text "1" apart from the number.
    return typeof value === "string" ? `s${only}\0${value}` : `j${JSON.stringify([only, value])}`;
  }
  return `j${JSON.stringify(keys.sort().map((key) => [key, attributes[key]]))}`;
}

function definedOf(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined && value !== null));
}
