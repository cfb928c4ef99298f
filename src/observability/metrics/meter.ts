/**
 * A meter: makes instruments, and hands out the same one for the same description.
 *
 * https://opentelemetry.io/docs/specs/otel/metrics/sdk/#duplicate-instrument-registration
 * @module
 */

import {
  type Meter as ApiMeter,
  type BatchObservableCallback,
  createNoopMeter,
  diag,
  type MetricOptions,
  type Observable,
  ValueType,
} from "@opentelemetry/api";
import type { WallMs } from "../../domain/time.ts";
import {
  type Collected,
  GaugeInstrument,
  HistogramInstrument,
  type InstrumentDescription,
  SumInstrument,
} from "./instruments.ts";
import type { Metric } from "./metric_data.ts";
import { ObservableInstrument, type ObservableKind, Observables } from "./observables.ts";

/** https://opentelemetry.io/docs/specs/otel/metrics/api/#instrument-name-syntax */
const NAME = /^[a-z][a-z0-9_.\-/]{0,254}$/i;

/** https://opentelemetry.io/docs/specs/otel/metrics/sdk/#explicit-bucket-histogram-aggregation */
const DEFAULT_BOUNDS = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000];

const NOTHING = createNoopMeter();

/** Kind, name, unit, description, type and bounds as one text: the same text is the same instrument. */
type Identity = string;

export class Meter implements ApiMeter {
  readonly #now: () => WallMs;
  readonly #instruments = new Map<Identity, Collected | ObservableInstrument>();
  readonly #names = new Map<string, Identity>();
  readonly #observables: Observables;

  constructor(now: () => WallMs) {
    this.#now = now;
    this.#observables = new Observables(now);
  }

  createCounter(name: string, options?: MetricOptions) {
    const make = (description: InstrumentDescription) =>
      new SumInstrument(description, { now: this.#now, isMonotonic: true });
    return this.#instrument("counter", name, options, SumInstrument, make) ?? NOTHING.createCounter(name);
  }

  createUpDownCounter(name: string, options?: MetricOptions) {
    const make = (description: InstrumentDescription) =>
      new SumInstrument(description, { now: this.#now, isMonotonic: false });
    return this.#instrument("up_down_counter", name, options, SumInstrument, make) ?? NOTHING.createUpDownCounter(name);
  }

  createGauge(name: string, options?: MetricOptions) {
    const make = (description: InstrumentDescription) => new GaugeInstrument(description, { now: this.#now });
    return this.#instrument("gauge", name, options, GaugeInstrument, make) ?? NOTHING.createGauge(name);
  }

  createHistogram(name: string, options?: MetricOptions) {
    const make = (description: InstrumentDescription) =>
      new HistogramInstrument(description, { now: this.#now, bounds: boundsOf(options) });
    return this.#instrument("histogram", name, options, HistogramInstrument, make) ?? NOTHING.createHistogram(name);
  }

  createObservableCounter(name: string, options?: MetricOptions) {
    return this.#observable("counter", name, options) ?? NOTHING.createObservableCounter(name);
  }

  createObservableUpDownCounter(name: string, options?: MetricOptions) {
    return this.#observable("up_down_counter", name, options) ?? NOTHING.createObservableUpDownCounter(name);
  }

  createObservableGauge(name: string, options?: MetricOptions) {
    return this.#observable("gauge", name, options) ?? NOTHING.createObservableGauge(name);
  }

  addBatchObservableCallback(callback: BatchObservableCallback, observables: Observable[]): void {
    this.#observables.addBatch(callback, observables);
  }

  removeBatchObservableCallback(callback: BatchObservableCallback, observables: Observable[]): void {
    this.#observables.removeBatch(callback, observables);
  }

  /** Asks the observables; see `Observables.ask` for when to call `end`. */
  ask(): { readonly pending: readonly Promise<void>[]; readonly end: (at: WallMs) => Metric[] } {
    const { pending, end } = this.#observables.ask();
    return {
      pending,
      end: (at) => {
        const observed = end(at);
        const metrics: Metric[] = [];
        for (const instrument of this.#instruments.values()) {
          const metric = instrument instanceof ObservableInstrument ? observed.get(instrument) : instrument.collect(at);
          if (metric !== undefined && metric.points.length > 0) metrics.push(metric);
        }
        return metrics;
      },
    };
  }

  #observable(kind: ObservableKind, name: string, options?: MetricOptions): ObservableInstrument | undefined {
    return this.#instrument(`observable_${kind}`, name, options, ObservableInstrument, (description) => {
      const instrument = new ObservableInstrument(description, kind, this.#now());
      this.#observables.add(instrument);
      return instrument;
    });
  }

  /** Undefined: the name is none. */
  #instrument<T extends Collected | ObservableInstrument>(
    kind: string,
    name: string,
    options: MetricOptions | undefined,
    type: abstract new (...args: never[]) => T,
    make: (description: InstrumentDescription) => T,
  ): T | undefined {
    if (!NAME.test(name)) {
      diag.warn(`Cannot make an instrument as its name must match ${NAME}: current value is ${JSON.stringify(name)}`);
      return undefined;
    }
    const description: InstrumentDescription = {
      name,
      description: options?.description ?? "",
      unit: options?.unit ?? "",
      isInteger: options?.valueType === ValueType.INT,
    };
    const { unit, isInteger } = description;
    const bounds = kind === "histogram" ? boundsOf(options) : [];
    const folded = name.toLowerCase();
    const identity = JSON.stringify([kind, folded, unit, isInteger, description.description, bounds]);
    const known = this.#instruments.get(identity);
    if (known instanceof type) return known;
    const other = this.#names.get(folded);
    if (other !== undefined)
      diag.warn(`Cannot merge two instruments named ${name} as they differ: ${other}, ${identity}`);
    const made = make(description);
    this.#names.set(folded, identity);
    this.#instruments.set(identity, made);
    return made;
  }
}

function boundsOf(options: MetricOptions | undefined): readonly number[] {
  const bounds = options?.advice?.explicitBucketBoundaries ?? DEFAULT_BOUNDS;
  return [...new Set(bounds)].filter(Number.isFinite).sort((a, b) => a - b);
}
