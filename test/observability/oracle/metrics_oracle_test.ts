/**
 * The official SDK as oracle: the same records in, the same OTLP JSON out, and nothing of it lost on the way through the protocol's own
 * definition.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Attributes, type Meter, ValueType } from "@opentelemetry/api";
import { JsonMetricsSerializer } from "@opentelemetry/otlp-transformer";
import { Resource } from "@opentelemetry/resources";
import { MetricReader, MeterProvider as SdkMeterProvider } from "@opentelemetry/sdk-metrics";
import { wallMs } from "../../../src/domain/time.ts";
import { MeterProvider } from "../../../src/observability/metrics/meter_provider.ts";
import { metricsBodies } from "../../../src/observability/otlp/metrics_json.ts";
import { Seeded } from "../../async/seeded.ts";
import { normalJson } from "./normal_json.ts";
import { PROTOCOL, throughProtocol } from "./protocol_definition.ts";

const SEEDS = 100;
const RECORDS = 60;
const RESOURCE = { "service.name": "metald", rack: 7, spot: false };
const BYTES_MAX = 1_000_000;

class PullReader extends MetricReader {
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
}

type Record = (value: number, attributes: Attributes) => void;

/** One instrument of each kind; the observables read `observed`. */
function instrumentsOf(meter: Meter, observed: ReadonlyMap<string, number>): readonly Record[] {
  const counter = meter.createCounter("test_counter_total", { unit: "{thing}", description: "Things." });
  const whole = meter.createCounter("test_whole_total", { valueType: ValueType.INT });
  const upDown = meter.createUpDownCounter("test_up_down", { unit: "By" });
  const gauge = meter.createGauge("test_gauge", { unit: "Cel", description: 'With "quotes" and ä.' });
  const bounds = [0, 0.5, 1, 10, 1_000];
  const histogram = meter.createHistogram("test_seconds", { unit: "s", advice: { explicitBucketBoundaries: bounds } });
  const byDefault = meter.createHistogram("test_default");
  for (const [name, observable] of [
    ["counter", meter.createObservableCounter("test_observed_total")],
    ["up_down", meter.createObservableUpDownCounter("test_observed_up_down")],
    ["gauge", meter.createObservableGauge("test_observed_gauge")],
  ] as const) {
    observable.addCallback((result) => {
      for (const [key, value] of observed) result.observe(value, { name, key });
    });
  }
  return [
    (value, attributes) => counter.add(value, attributes),
    (value, attributes) => whole.add(value, attributes),
    (value, attributes) => upDown.add(value, attributes),
    (value, attributes) => gauge.record(value, attributes),
    (value, attributes) => histogram.record(value, attributes),
    (value, attributes) => byDefault.record(value, attributes),
  ];
}

function drawnValue(chance: Seeded): number {
  return chance.pick([0, 1, 1.5, -1, -0.25, 0.5, 10, 1e-9, 123_456_789, 2 ** 40, chance.next() * 2_000]);
}

function drawnAttributes(chance: Seeded): Attributes {
  const attributes: Attributes = {};
  if (chance.below(2) === 0) attributes["reason"] = chance.pick(["process_dead", "", 'a "b"\n', "ä"]);
  if (chance.below(3) === 0) attributes["attempt"] = chance.pick([1, 2, 0.5, -3]);
  if (chance.below(3) === 0) attributes["forced"] = chance.below(2) === 0;
  if (chance.below(5) === 0) attributes["layers"] = ["api", "guest"];
  return chance.below(2) === 0 ? attributes : Object.fromEntries(Object.entries(attributes).reverse());
}

describe("our metrics and those of the official SDK", () => {
  it(`are the same JSON for ${SEEDS} random sequences of ${RECORDS} records, collected in between`, async () => {
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const chance = new Seeded(seed);
      const observed = new Map<string, number>();
      const reader = new PullReader();
      const theirs = new SdkMeterProvider({ resource: new Resource(RESOURCE), readers: [reader] });
      const ours = new MeterProvider(() => wallMs(Date.now()));
      const both = [ours, theirs].map((provider) => instrumentsOf(provider.getMeter("metald", "0.1.0"), observed));
      for (let turn = 0; turn < RECORDS; turn += 1) {
        const [kind, value, attributes] = [chance.below(6), drawnValue(chance), drawnAttributes(chance)];
        for (const instruments of both) instruments[kind]?.(value, attributes);
        if (chance.below(10) === 0) observed.set(chance.pick(["a", "b"]), chance.below(1_000));
        if (chance.below(20) > 0) continue;
        const { resourceMetrics } = await reader.collect();
        const expected = JsonMetricsSerializer.serializeRequest(resourceMetrics);
        const [body, ...more] = metricsBodies(RESOURCE, await ours.collect(), BYTES_MAX);
        assert.equal(more.length, 0);
        const theirJson = inOrder(withoutExtras(JSON.parse(new TextDecoder().decode(expected))));
        if (body === undefined) assert.deepEqual(theirJson.metrics, [], `seed ${seed}`);
        else assert.deepEqual(inOrder(JSON.parse(body.json)), theirJson, `seed ${seed}`);
      }
      await theirs.shutdown();
    }
  });

  it("lose no field on the way through the protocol's definition", async () => {
    const ours = new MeterProvider(() => wallMs(Date.now()));
    const observed = new Map([["a", 1]]);
    for (const record of instrumentsOf(ours.getMeter("metald", "0.1.0"), observed)) record(1.5, { reason: "x", n: 3 });
    const [body] = metricsBodies(RESOURCE, await ours.collect(), BYTES_MAX);
    const sent = JSON.parse(body?.json ?? "");
    const received = throughProtocol(PROTOCOL.metrics.v1.ExportMetricsServiceRequest, sent);
    assert.deepEqual(normalJson(received), normalJson(sent));
    const instants = [...JSON.stringify(received).matchAll(/TimeUnixNano":"(\d+)"|timeUnixNano":"(\d+)"/g)];
    assert.ok(instants.length > 10);
    for (const [, start, end] of instants) assert.match(start ?? end ?? "", /^\d{19}$/);
  });
});

/** The metrics by name: the SDK has them in the order in which they were made, ours too, but empty ones are missing in both. */
function inOrder(document: unknown): {
  readonly metrics: unknown;
  readonly resource: unknown;
  readonly scope: unknown;
} {
  const { resourceMetrics } = document as {
    resourceMetrics: { resource: unknown; scopeMetrics: { scope: unknown; metrics: { name: string }[] }[] }[];
  };
  const [resource] = resourceMetrics;
  const [scope] = resource?.scopeMetrics ?? [];
  return {
    resource: normalJson(resource?.resource),
    scope: normalJson(scope?.scope),
    metrics: (scope?.metrics ?? []).map((metric) => normalJson(metric)),
  };
}

/** The SDK writes a count of dropped attributes that is always 0, the default of the protocol, and names itself. */
function withoutExtras(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((each) => !String(each?.key).startsWith("telemetry.sdk.")).map(withoutExtras);
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, each]) => !(key === "droppedAttributesCount" && each === 0))
      .map(([key, each]) => [key, withoutExtras(each)]),
  );
}
