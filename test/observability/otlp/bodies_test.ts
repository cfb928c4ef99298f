import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { wallMs } from "../../../src/domain/time.ts";
import { MeterProvider } from "../../../src/observability/metrics/meter_provider.ts";
import { keyValues, unixNano } from "../../../src/observability/otlp/any_value.ts";
import { metricsBodies } from "../../../src/observability/otlp/metrics_json.ts";
import { tracesBodies } from "../../../src/observability/otlp/traces_json.ts";
import { TracerProvider } from "../../../src/observability/trace/tracer_provider.ts";

const RESOURCE = { "service.name": "metald" };

describe("bodies", () => {
  it("are none when there is nothing to say", () => {
    assert.deepEqual(metricsBodies(RESOURCE, [], 1_000), []);
    assert.deepEqual(tracesBodies(RESOURCE, [], 1_000), []);
  });

  it("of many points are split below the limit, each whole, and no point is lost or sent twice", async () => {
    const meters = new MeterProvider(() => wallMs(1_700_000_000_000));
    for (const scope of ["a", "b"]) {
      const counter = meters.getMeter(scope).createCounter("c_total", { description: "Counts." });
      for (let n = 0; n < 500; n += 1) counter.add(1, { n });
    }
    const bodies = metricsBodies(RESOURCE, await meters.collect(), 20_000);
    assert.ok(bodies.length > 5);
    const points = new Set<string>();
    let items = 0;
    for (const body of bodies) {
      items += body.items;
      assert.ok(Buffer.byteLength(body.json) <= 20_000, String(Buffer.byteLength(body.json)));
      const [resource] = JSON.parse(body.json).resourceMetrics;
      assert.deepEqual(resource.resource.attributes, keyValues(RESOURCE));
      for (const { scope, metrics } of resource.scopeMetrics) {
        for (const { sum } of metrics) {
          for (const { attributes } of sum.dataPoints) points.add(`${scope.name} ${attributes[0].value.intValue}`);
        }
      }
    }
    assert.deepEqual([points.size, items], [1_000, 1_000]);
  });

  it("never have a point that ends before it began, where the clock was set back", async () => {
    let now = 1_700_000_000_000;
    const meters = new MeterProvider(() => wallMs(now));
    const meter = meters.getMeter("test");
    meter.createCounter("c_total").add(1);
    meter.createHistogram("h_seconds").record(1);
    meter.createObservableGauge("g").addCallback((result) => result.observe(1));
    now = 1_000;
    const [body] = metricsBodies(RESOURCE, await meters.collect(), 20_000);
    const times = [...(body?.json ?? "").matchAll(/"startTimeUnixNano":"(\d+)","timeUnixNano":"(\d+)"/g)];
    assert.equal(times.length, 3);
    for (const [, start, end] of times) assert.deepEqual([start, end], ["1000000000", "1000000000"]);
  });

  it("of many spans are split as well, and one that alone is too large is sent alone", () => {
    const provider = new TracerProvider({ now: Date.now, sampleRatio: 1 });
    const tracer = provider.getTracer("test");
    for (let n = 0; n < 100; n += 1) tracer.startSpan(`span ${n}`).end();
    tracer.startSpan("large", { attributes: { texts: ["x".repeat(50_000)] } }).end();
    tracer.startSpan("last").end();
    const bodies = tracesBodies(RESOURCE, provider.take().spans, 10_000);
    assert.equal(
      bodies.reduce((sum, { items }) => sum + items, 0),
      102,
    );
    assert.equal(bodies.filter(({ json }) => json.length > 10_000).length, 1);
    assert.equal(bodies.find(({ json }) => json.includes('"large"'))?.items, 1);
  });
});

describe("values", () => {
  it("of attributes have the type that they are, integers as text, and what has no form is left out", () => {
    const attributes = {
      text: "x",
      yes: true,
      whole: 2 ** 40,
      part: 0.5,
      huge: 2 ** 70,
      list: ["a", 1, Number.NaN],
      none: Number.NaN,
      gone: undefined,
      object: {},
    };
    assert.deepEqual(keyValues(attributes), [
      { key: "text", value: { stringValue: "x" } },
      { key: "yes", value: { boolValue: true } },
      { key: "whole", value: { intValue: "1099511627776" } },
      { key: "part", value: { doubleValue: 0.5 } },
      { key: "huge", value: { doubleValue: 2 ** 70 } },
      { key: "list", value: { arrayValue: { values: [{ stringValue: "a" }, { intValue: "1" }] } } },
    ]);
  });

  it("of instants are nanoseconds as text, to the digit", () => {
    assert.equal(unixNano(1_700_000_000_123), "1700000000123000000");
    assert.equal(unixNano(1_700_000_000_123.25), "1700000000123250000");
    assert.equal(unixNano(0), "0");
  });
});
