/**
 * Instruments that are asked at a collection: observable counter, up-down counter and gauge.
 *
 * Each collection asks anew and knows nothing of the one before, so a series that is observed no longer is exported no longer,
 * and two exporters do not disturb each other. What a callback says after its collection has ended is not heard.
 * @module
 */

import type {
  Attributes,
  BatchObservableCallback,
  BatchObservableResult,
  Observable,
  ObservableCallback,
  ObservableResult,
} from "@opentelemetry/api";
import type { WallMs } from "../../domain/time.ts";
import type { InstrumentDescription } from "./instruments.ts";
import type { Metric, NumberPoint } from "./metric_data.ts";
import { SeriesTable } from "./series_table.ts";

export type ObservableKind = "counter" | "up_down_counter" | "gauge";

interface Observed {
  value: number;
}

export class ObservableInstrument implements Observable {
  readonly description: InstrumentDescription;
  readonly kind: ObservableKind;
  readonly startAt: WallMs;
  readonly callbacks = new Set<ObservableCallback>();

  constructor(description: InstrumentDescription, kind: ObservableKind, startAt: WallMs) {
    this.description = description;
    this.kind = kind;
    this.startAt = startAt;
  }

  addCallback(callback: ObservableCallback): void {
    this.callbacks.add(callback);
  }

  removeCallback(callback: ObservableCallback): void {
    this.callbacks.delete(callback);
  }
}

interface BatchCallback {
  readonly callback: BatchObservableCallback;
  readonly observables: ReadonlySet<Observable>;
}

export class Observables {
  readonly #now: () => WallMs;
  readonly #instruments = new Set<ObservableInstrument>();
  #batches: BatchCallback[] = [];

  constructor(now: () => WallMs) {
    this.#now = now;
  }

  add(instrument: ObservableInstrument): void {
    this.#instruments.add(instrument);
  }

  addBatch(callback: BatchObservableCallback, observables: readonly Observable[]): void {
    this.removeBatch(callback, observables);
    this.#batches.push({ callback, observables: new Set(observables) });
  }

  removeBatch(callback: BatchObservableCallback, observables: readonly Observable[]): void {
    this.#batches = this.#batches.filter(
      (batch) =>
        batch.callback !== callback ||
        batch.observables.size !== new Set(observables).size ||
        !observables.every((each) => batch.observables.has(each)),
    );
  }

  /**
   * Asks every callback. A callback that throws, or whose promise is rejected, has observed what it said before that.
   *
   * @returns its metrics once `end` is called, which must be when every promise in `pending` has settled or has had its time
   */
  ask(): {
    readonly pending: readonly Promise<void>[];
    readonly end: (at: WallMs) => Map<ObservableInstrument, Metric>;
  } {
    const round = new Round(this.#now);
    const pending: Promise<void>[] = [];
    const call = (callback: () => void | Promise<void>): void => {
      try {
        const result = callback();
        if (result !== undefined) pending.push(Promise.resolve(result).catch(() => undefined));
      } catch {
        // One gauge that cannot be read must not cost the others.
      }
    };
    for (const instrument of this.#instruments) {
      const result: ObservableResult = {
        observe: (value, attributes) => round.observe(instrument, value, attributes),
      };
      for (const callback of instrument.callbacks) call(() => callback(result));
    }
    for (const { callback, observables } of this.#batches) {
      const result: BatchObservableResult = {
        observe: (observable, value, attributes) => {
          if (!observables.has(observable) || !(observable instanceof ObservableInstrument)) return;
          round.observe(observable, value, attributes);
        },
      };
      call(() => callback(result));
    }
    return { pending, end: (at) => round.end(this.#instruments, at) };
  }
}

class Round {
  readonly #now: () => WallMs;
  readonly #observed = new Map<ObservableInstrument, SeriesTable<Observed>>();
  #ended = false;

  constructor(now: () => WallMs) {
    this.#now = now;
  }

  observe(instrument: ObservableInstrument, value: number, attributes: Attributes | undefined): void {
    const amount = instrument.description.isInteger ? Math.trunc(value) : value;
    if (this.#ended || !Number.isFinite(amount)) return;
    let table = this.#observed.get(instrument);
    if (table === undefined) {
      table = new SeriesTable<Observed>({ empty: () => ({ value: 0 }), now: this.#now });
      this.#observed.set(instrument, table);
    }
    table.at(attributes).value = amount;
  }

  end(instruments: ReadonlySet<ObservableInstrument>, at: WallMs): Map<ObservableInstrument, Metric> {
    this.#ended = true;
    const metrics = new Map<ObservableInstrument, Metric>();
    for (const instrument of instruments) {
      const series = this.#observed.get(instrument)?.all() ?? [];
      const points = series.map(({ attributes, accumulator }) => ({
        attributes,
        startAt: instrument.startAt,
        at,
        value: accumulator.value,
      }));
      metrics.set(instrument, metricOf(instrument, points));
    }
    return metrics;
  }
}

function metricOf({ description, kind }: ObservableInstrument, points: readonly NumberPoint[]): Metric {
  if (kind === "gauge") return { ...description, kind: "gauge", points };
  return { ...description, kind: "sum", isMonotonic: kind === "counter", points };
}
