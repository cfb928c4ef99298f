/**
 * The provider behind `metrics.getMeter()` of `@opentelemetry/api`, and the place where metrics are collected.
 *
 * It must be the global one before any instrument is made, as an instrument made earlier belongs to nobody and never exports.
 * @module
 */

import type { MeterProvider as ApiMeterProvider, MeterOptions } from "@opentelemetry/api";
import type { WallMs } from "../../domain/time.ts";
import { settledWithin } from "../settled_within.ts";
import { Meter } from "./meter.ts";
import type { Scope, ScopeMetrics } from "./metric_data.ts";

/** A callback whose promise takes longer has observed what it said until then. */
const CALLBACKS_TIMEOUT_MS = 1_000;

export class MeterProvider implements ApiMeterProvider {
  readonly #now: () => WallMs;
  readonly #meters = new Map<string, { readonly scope: Scope; readonly meter: Meter }>();

  /** @param now the wall clock */
  constructor(now: () => WallMs) {
    this.#now = now;
  }

  getMeter(name: string, version?: string, options?: MeterOptions): Meter {
    const scope: Scope = { name, version, schemaUrl: options?.schemaUrl };
    const key = JSON.stringify([name, version ?? "", options?.schemaUrl ?? ""]);
    const known = this.#meters.get(key);
    if (known !== undefined) return known.meter;
    const meter = new Meter(this.#now);
    this.#meters.set(key, { scope, meter });
    return meter;
  }

  /** Every series that has a value, by scope; scopes without one are left out. */
  async collect(): Promise<readonly ScopeMetrics[]> {
    const asked = [...this.#meters.values()].map(({ scope, meter }) => ({ scope, ...meter.ask() }));
    const pending = asked.flatMap((each) => each.pending);
    if (pending.length > 0) await settledWithin(Promise.allSettled(pending), CALLBACKS_TIMEOUT_MS);
    const at = this.#now();
    return asked.map(({ scope, end }) => ({ scope, metrics: end(at) })).filter(({ metrics }) => metrics.length > 0);
  }
}
