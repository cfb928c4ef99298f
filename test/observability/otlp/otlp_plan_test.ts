import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Environment } from "../../../src/observability/otlp/otlp_environment.ts";
import { type OtlpPlan, otlpPlan } from "../../../src/observability/otlp/otlp_plan.ts";
import type { OtlpSettings } from "../../../src/observability/otlp/otlp_settings.ts";

function plan(environment: Environment, settings: OtlpSettings = {}): OtlpPlan {
  return otlpPlan(settings, environment);
}

const HERE = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" };

describe("where telemetry goes", () => {
  it("is nowhere without an endpoint, and an empty variable is none", () => {
    for (const environment of [{}, { OTEL_EXPORTER_OTLP_ENDPOINT: "" }, { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: " " }]) {
      const { metrics, traces, complaints } = plan(environment);
      assert.deepEqual([metrics, traces, complaints], [undefined, undefined, []]);
    }
  });

  for (const [endpoint, metrics, traces] of [
    ["http://c:4318", "http://c:4318/v1/metrics", "http://c:4318/v1/traces"],
    ["http://c:4318/", "http://c:4318/v1/metrics", "http://c:4318/v1/traces"],
    ["https://c/base/otlp", "https://c/base/otlp/v1/metrics", "https://c/base/otlp/v1/traces"],
    ["https://c/base/?key=1", "https://c/base/v1/metrics?key=1", "https://c/base/v1/traces?key=1"],
  ] as const) {
    it(`is below ${endpoint}, with the signal's path appended`, () => {
      const planned = plan({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
      assert.equal(planned.metrics?.url.href, metrics);
      assert.equal(planned.traces?.url.href, traces);
    });
  }

  it("is the signal's own endpoint as it is", () => {
    const planned = plan({
      ...HERE,
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://m:1/x",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "",
    });
    assert.equal(planned.metrics?.url.href, "http://m:1/x");
    assert.equal(planned.traces?.url.href, "http://c:4318/v1/traces");
  });

  it("is nowhere for a signal that is not wanted", () => {
    const planned = plan({ ...HERE, OTEL_TRACES_EXPORTER: "none" });
    assert.ok(planned.metrics !== undefined && planned.traces === undefined);
    assert.equal(plan({ ...HERE, OTEL_METRICS_EXPORTER: "none" }).metrics, undefined);
    assert.equal(plan(HERE, { metrics: false }).metrics, undefined);
  });

  for (const [value, expected] of [
    ["true", true],
    ["TRUE", true],
    ["1", false],
    ["yes", false],
    ["", false],
  ] as const) {
    it(`is ${expected ? "disabled" : "not disabled"} by OTEL_SDK_DISABLED=${value}`, () => {
      assert.equal(plan({ ...HERE, OTEL_SDK_DISABLED: value }).isDisabled, expected);
    });
  }
});

describe("how telemetry goes there", () => {
  it("has the defaults of the specification", () => {
    const { metrics, traces, sampleRatio, healthCheckSpans } = plan(HERE);
    assert.deepEqual([metrics?.timeoutMs, metrics?.intervalMs, metrics?.compression], [10_000, 60_000, "none"]);
    assert.deepEqual([traces?.timeoutMs, traces?.intervalMs], [10_000, 5_000]);
    assert.deepEqual([sampleRatio, healthCheckSpans], [1, "failures"]);
  });

  it("is said by the standard variables, of which a signal's own goes before the general one", () => {
    const { metrics, traces } = plan({
      ...HERE,
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20abc, x-a = 1",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "x-b=2",
      OTEL_EXPORTER_OTLP_TIMEOUT: "2500",
      OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: "1500",
      OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
      OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: "none",
      OTEL_EXPORTER_OTLP_CERTIFICATE: "/ca.pem",
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: "/c.pem",
      OTEL_EXPORTER_OTLP_CLIENT_KEY: "/c.key",
      OTEL_METRIC_EXPORT_INTERVAL: "5000",
      OTEL_BSP_SCHEDULE_DELAY: "1000",
    });
    const tls = { certificate: "/ca.pem", clientCertificate: "/c.pem", clientKey: "/c.key" };
    assert.deepEqual(metrics, {
      url: new URL("http://c:4318/v1/metrics"),
      headers: { authorization: "Bearer abc", "x-a": "1" },
      compression: "gzip",
      tls,
      timeoutMs: 1_500,
      intervalMs: 5_000,
    });
    assert.deepEqual(traces, {
      url: new URL("http://c:4318/v1/traces"),
      headers: { "x-b": "2" },
      compression: "none",
      tls,
      timeoutMs: 2_500,
      intervalMs: 1_000,
    });
  });

  it("is said by the file before it is by a variable", () => {
    const planned = plan(
      { ...HERE, OTEL_EXPORTER_OTLP_HEADERS: "a=1", OTEL_SERVICE_NAME: "x", OTEL_RESOURCE_ATTRIBUTES: "zone=b,rack=7" },
      {
        endpoint: "http://file:1",
        headers: { b: "2" },
        timeoutMs: 7,
        compression: "gzip",
        intervalMs: 9,
        serviceName: "metald-a",
        resourceAttributes: { zone: "a" },
        sampleRatio: 0.5,
        healthCheckSpans: "all",
      },
    );
    assert.equal(planned.metrics?.url.href, "http://file:1/v1/metrics");
    assert.deepEqual(
      [planned.metrics.headers, planned.metrics.timeoutMs, planned.metrics.intervalMs],
      [{ b: "2" }, 7, 9],
    );
    assert.deepEqual(planned.resourceAttributes, { zone: "a", rack: "7", "service.name": "metald-a" });
    assert.deepEqual([planned.sampleRatio, planned.healthCheckSpans], [0.5, "all"]);
  });

  it("names the service by its own variable before the general one, and by the file before both", () => {
    const environment = { ...HERE, OTEL_SERVICE_NAME: "own", OTEL_RESOURCE_ATTRIBUTES: "service.name=general" };
    assert.equal(plan(environment).resourceAttributes["service.name"], "own");
    const settings = { resourceAttributes: { "service.name": "file" } };
    assert.equal(plan(environment, settings).resourceAttributes["service.name"], "file");
    const { resourceAttributes } = plan({ ...HERE, OTEL_RESOURCE_ATTRIBUTES: "service.name=general" });
    assert.deepEqual(resourceAttributes, { "service.name": "general" });
  });

  for (const [sampler, argument, ratio] of [
    ["always_on", "", 1],
    ["always_off", "", 0],
    ["traceidratio", "0.25", 0.25],
    ["parentbased_traceidratio", "0.5", 0.5],
    ["traceidratio", "7", 1],
    ["", "0.1", 1],
  ] as const) {
    it(`samples ${ratio} of the traces by the sampler ${sampler || "of nobody"} with ${argument || "nothing"}`, () => {
      const environment = { ...HERE, OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: argument };
      assert.equal(plan(environment).sampleRatio, ratio);
    });
  }

  it("ignores a variable that cannot be meant, and says so once without telling a secret", () => {
    const { metrics, complaints } = plan({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "c:4318",
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_EXPORTER_OTLP_TIMEOUT: "10s",
      OTEL_METRIC_EXPORT_INTERVAL: "0",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=%zz-secret",
      OTEL_EXPORTER_OTLP_COMPRESSION: "zstd",
    });
    assert.deepEqual([metrics?.timeoutMs, metrics?.intervalMs, metrics?.headers], [10_000, 60_000, {}]);
    const expected = [
      /OTEL_EXPORTER_OTLP_PROTOCOL as it must be one of http\/json: current value is "grpc"/,
      /OTEL_METRIC_EXPORT_INTERVAL as it must be a whole number of milliseconds from 1 to 2147483647: current value is "0"/,
      /OTEL_EXPORTER_OTLP_TIMEOUT .*: current value is "10s"/,
      /OTEL_EXPORTER_OTLP_HEADERS .*: current value is \(not shown\)/,
      /OTEL_EXPORTER_OTLP_COMPRESSION .*: current value is "zstd"/,
      /OTEL_EXPORTER_OTLP_TRACES_ENDPOINT as it must be a URL with http or https: current value is \(not shown\)/,
    ];
    for (const pattern of expected)
      assert.ok(
        complaints.some((each) => pattern.test(each)),
        `${pattern}\n${complaints}`,
      );
    assert.equal(complaints.length, expected.length);
    assert.ok(!complaints.join().includes("secret"));
  });

  for (const [name, value] of [
    ["OTEL_EXPORTER_OTLP_HEADERS", "Bearer secret"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "authorization: Bearer secret"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer secret%0a"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret%E2%82%AC"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "api key=secret"],
    ["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "=secret"],
    ["OTEL_RESOURCE_ATTRIBUTES", "zone=a,secret"],
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "user:secret@c:4318"],
    ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "grpc://c:4318?token=secret"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@:x"],
  ] as const) {
    it(`is not said by ${name}=${value}, of which only the name is shown`, () => {
      const { metrics, complaints } = plan({ ...HERE, [name]: value });
      assert.equal(complaints.length, 1, complaints.join("\n"));
      assert.match(complaints[0] ?? "", new RegExp(`^Cannot use ${name} as .*: current value is \\(not shown\\)$`));
      assert.deepEqual(metrics?.headers ?? {}, {});
    });
  }

  for (const value of ["0", "-1", "1.5", "10s", "2147483648", "9999999999", "Infinity"]) {
    it(`has no interval and no deadline of ${value} ms, which a timer would take for none`, () => {
      const { metrics, traces, complaints } = plan({
        ...HERE,
        OTEL_METRIC_EXPORT_INTERVAL: value,
        OTEL_BSP_SCHEDULE_DELAY: value,
        OTEL_EXPORTER_OTLP_TIMEOUT: value,
      });
      assert.deepEqual([metrics?.intervalMs, metrics?.timeoutMs, traces?.intervalMs], [60_000, 10_000, 5_000]);
      assert.equal(complaints.length, 3, complaints.join("\n"));
    });
  }

  it("is not disabled by a word that is neither true nor false, and says so", () => {
    const { isDisabled, complaints } = plan({ ...HERE, OTEL_SDK_DISABLED: "yes" });
    assert.equal(isDisabled, false);
    assert.match(complaints.join(), /OTEL_SDK_DISABLED as it must be one of true, false: current value is "yes"/);
    assert.deepEqual(plan({ ...HERE, OTEL_SDK_DISABLED: "False" }).complaints, []);
  });
});
