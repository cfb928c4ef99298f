import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Attributes, ValueType } from "@opentelemetry/api";
import { wallMs } from "../../../src/domain/time.ts";
import { MeterProvider } from "../../../src/observability/metrics/meter_provider.ts";
import type { Metric, NumberPoint } from "../../../src/observability/metrics/metric_data.ts";
import { SERIES_MAX } from "../../../src/observability/metrics/series_table.ts";

function provider() {
  let now = 1_000;
  const meters = new MeterProvider(() => wallMs(now));
  const meter = meters.getMeter("test", "1");
  return {
    meters,
    meter,
    passTo: (at: number) => {
      now = at;
    },
    metric: async (name: string): Promise<Metric | undefined> =>
      (await meters.collect()).flatMap(({ metrics }) => metrics).find((metric) => metric.name === name),
    values: async (name: string): Promise<[Attributes, number][]> => {
      const metric = (await meters.collect()).flatMap(({ metrics }) => metrics).find((each) => each.name === name);
      if (metric === undefined || metric.kind === "histogram") return [];
      return metric.points.map(({ attributes, value }: NumberPoint) => [attributes, value]);
    },
  };
}

describe("a counter", () => {
  it("sums per set of attributes, whatever the order in which they were given", async () => {
    const { meter, values } = provider();
    const counter = meter.createCounter("c");
    counter.add(1);
    counter.add(2, {});
    counter.add(3, { a: 1, b: "x" });
    counter.add(4, { b: "x", a: 1 });
    counter.add(5, { a: "1", b: "x" });
    counter.add(6, { a: undefined });
    assert.deepEqual(await values("c"), [
      [{}, 9],
      [{ a: 1, b: "x" }, 7],
      [{ a: "1", b: "x" }, 5],
    ]);
  });

  it("keeps sets apart that read alike", async () => {
    const { meter, values } = provider();
    const counter = meter.createCounter("c");
    const sets: Attributes[] = [{ a: "1" }, { a: 1 }, { a: true }, { a: "true" }, { a: "b", c: "" }, { a: ["b"] }];
    for (const set of [...sets, ...sets]) counter.add(1, set);
    assert.deepEqual(
      await values("c"),
      sets.map((set) => [set, 2]),
    );
  });

  it("is not confused by a caller that changes its object afterwards", async () => {
    const { meter, values } = provider();
    const counter = meter.createCounter("c");
    const attributes: Attributes = { a: "1" };
    counter.add(1, attributes);
    attributes["a"] = "2";
    counter.add(1, attributes);
    assert.deepEqual(await values("c"), [
      [{ a: "1" }, 1],
      [{ a: "2" }, 1],
    ]);
  });

  it("drops what is negative or no number, and cuts a fraction off where it counts whole things", async () => {
    const { meter, values } = provider();
    const counter = meter.createCounter("c");
    for (const value of [1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) counter.add(value);
    assert.deepEqual(await values("c"), [[{}, 1.5]]);
    const whole = meter.createCounter("i", { valueType: ValueType.INT });
    for (const value of [1.9, 2, Number.NaN]) whole.add(value);
    assert.deepEqual(await values("i"), [[{}, 3]]);
  });

  it("begins a series when it is first told of it, and keeps its beginning", async () => {
    const { meter, passTo, metric } = provider();
    const counter = meter.createCounter("c");
    counter.add(1);
    passTo(2_000);
    counter.add(1, { a: 1 });
    passTo(3_000);
    const collected = await metric("c");
    assert.deepEqual(
      collected?.points.map(({ startAt, at }) => [startAt, at]),
      [
        [1_000, 3_000],
        [2_000, 3_000],
      ],
    );
  });

  it(`has ${SERIES_MAX} series at most, of which the last is shared by all that are too many`, async () => {
    const { meter, values } = provider();
    const counter = meter.createCounter("c");
    for (let n = 0; n < SERIES_MAX + 500; n += 1) counter.add(1, { n });
    counter.add(1, { n: 0 });
    const series = await values("c");
    assert.equal(series.length, SERIES_MAX);
    assert.deepEqual(series.at(-1), [{ "otel.metric.overflow": true }, 501]);
    assert.deepEqual(series[0], [{ n: 0 }, 2]);
    assert.equal(
      series.reduce((sum, [, value]) => sum + value, 0),
      SERIES_MAX + 501,
    );
  });
});

describe("other instruments", () => {
  it("an up-down counter goes down, and is no monotonic sum", async () => {
    const { meter, metric } = provider();
    const counter = meter.createUpDownCounter("u");
    counter.add(3);
    counter.add(-5);
    const collected = await metric("u");
    assert.ok(collected?.kind === "sum" && !collected.isMonotonic);
    assert.deepEqual(
      collected.points.map(({ value }) => value),
      [-2],
    );
  });

  it("a gauge has its last value", async () => {
    const { meter, values } = provider();
    const gauge = meter.createGauge("g");
    for (const value of [1, -7, Number.NaN]) gauge.record(value);
    assert.deepEqual(await values("g"), [[{}, -7]]);
  });

  it("a histogram's bounds are inclusive, and its last bucket has what lies above them", async () => {
    const { meter, metric } = provider();
    const histogram = meter.createHistogram("h", { advice: { explicitBucketBoundaries: [10, 1] } });
    for (const value of [0, 1, 1.25, 10, 11, -1, Number.NaN, Number.POSITIVE_INFINITY]) histogram.record(value);
    const collected = await metric("h");
    assert.ok(collected?.kind === "histogram");
    assert.deepEqual(collected.bounds, [1, 10]);
    const [point] = collected.points;
    assert.deepEqual(point?.bucketCounts, [2, 2, 1]);
    assert.deepEqual([point.count, point.sum, point.min, point.max], [5, 23.25, 0, 11]);
  });

  it("a collection is not changed by what is recorded after it", async () => {
    const { meter, metric } = provider();
    const histogram = meter.createHistogram("h", { advice: { explicitBucketBoundaries: [1] } });
    histogram.record(0);
    const before = await metric("h");
    histogram.record(0);
    assert.ok(before?.kind === "histogram");
    assert.deepEqual(before.points[0]?.bucketCounts, [1, 0]);
  });

  it("nothing is exported of an instrument that was never told anything", async () => {
    const { meter, meters } = provider();
    meter.createCounter("c");
    meter.createObservableGauge("g");
    assert.deepEqual(await meters.collect(), []);
  });
});

describe("observables", () => {
  it("are asked at each collection, and forget what is observed no longer", async () => {
    const { meter, values } = provider();
    let observed: [string, number][] = [
      ["a", 1],
      ["b", 2],
    ];
    meter.createObservableGauge("g").addCallback((result) => {
      for (const [key, value] of observed) result.observe(value, { key });
    });
    assert.deepEqual(await values("g"), [
      [{ key: "a" }, 1],
      [{ key: "b" }, 2],
    ]);
    observed = [["b", 3]];
    assert.deepEqual(await values("g"), [[{ key: "b" }, 3]]);
  });

  it("are asked together by one callback, which hears no answer for an instrument that it did not name", async () => {
    const { meter, values } = provider();
    const named = meter.createObservableCounter("named");
    const other = meter.createObservableUpDownCounter("other");
    const callback = (result: { observe(instrument: typeof named, value: number): void }) => {
      result.observe(named, 5);
      result.observe(other, 5);
    };
    meter.addBatchObservableCallback(callback, [named]);
    meter.addBatchObservableCallback(callback, [named]);
    assert.deepEqual([await values("named"), await values("other")], [[[{}, 5]], []]);
    meter.removeBatchObservableCallback(callback, [named]);
    assert.deepEqual(await values("named"), []);
  });

  it("that throw or are rejected cost what they did not say, and nothing of the others", async () => {
    const { meter, values } = provider();
    meter.createObservableGauge("throws").addCallback((result) => {
      result.observe(1);
      throw new Error("Cannot observe");
    });
    meter.createObservableGauge("rejected").addCallback(async () => {
      throw new Error("Cannot observe");
    });
    meter.createObservableGauge("late").addCallback(async (result) => {
      await Promise.resolve();
      result.observe(2);
    });
    meter.createCounter("c").add(1);
    assert.deepEqual(await values("throws"), [[{}, 1]]);
    assert.deepEqual(await values("rejected"), []);
    assert.deepEqual(await values("late"), [[{}, 2]]);
    assert.deepEqual(await values("c"), [[{}, 1]]);
  });

  it("are not heard after their collection, nor by another one that runs at the same time", async () => {
    const { meter, meters } = provider();
    let round = 0;
    meter.createObservableGauge("g").addCallback((result) => {
      round += 1;
      result.observe(round, { round });
    });
    const both = await Promise.all([meters.collect(), meters.collect()]);
    assert.deepEqual(
      both.map((collected) => collected.flatMap(({ metrics }) => metrics.flatMap(({ points }) => points.length))),
      [[1], [1]],
    );
  });
});

describe("a meter", () => {
  it("gives the same instrument for the same description, and another for another", async () => {
    const { meter, meters } = provider();
    meter.createCounter("c", { unit: "s" }).add(1);
    meter.createCounter("C", { unit: "s" }).add(1);
    meter.createCounter("c", { unit: "ms" }).add(1);
    const metrics = (await meters.collect()).flatMap((scope) => scope.metrics);
    assert.deepEqual(
      metrics.map(({ unit, points }) => [unit, points.map((point) => ("value" in point ? point.value : 0))]),
      [
        ["s", [2]],
        ["ms", [1]],
      ],
    );
  });

  it("is the same for the same name and version", () => {
    const { meters, meter } = provider();
    assert.equal(meters.getMeter("test", "1"), meter);
    assert.notEqual(meters.getMeter("test", "2"), meter);
  });

  it("makes no instrument of a name that is none", async () => {
    const { meter, meters } = provider();
    for (const name of ["", "1a", "a b", "x".repeat(256)]) meter.createCounter(name).add(1);
    assert.deepEqual(await meters.collect(), []);
  });
});
