import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Configuration, readConfiguration } from "../../src/config/configuration.ts";
import { DEFAULTS } from "../../src/config/defaults.ts";
import { parseJsonc } from "../../src/config/jsonc.ts";
import { telemetrySettings } from "../../src/config/telemetry_section.ts";

function valid(written: unknown): Configuration {
  const reading = readConfiguration(written);
  assert.ok(reading.kind === "valid", JSON.stringify(reading));
  return reading.configuration;
}

function errorsOf(written: unknown): readonly string[] {
  const reading = readConfiguration(written);
  assert.ok(reading.kind === "invalid", "must be invalid");
  return reading.errors;
}

test("the empty object is a valid configuration, with the documented defaults in milliseconds", () => {
  const { policy, settings, document } = valid({});
  assert.deepEqual(document, DEFAULTS);
  assert.deepEqual(policy, {
    enabled: true,
    health: {
      enabled: true,
      intervalMs: 30_000,
      suspectIntervalMs: 5_000,
      timeoutMs: 5_000,
      failureThreshold: 3,
      recoveryThreshold: 2,
      startGraceMs: 30_000,
    },
    recovery: {
      enabled: true,
      maxRetries: 3,
      retryIntervalMs: 10_000,
      backoffFactor: 2,
      maxRetryIntervalMs: 300_000,
      jitter: 0.1,
      recoveryTimeoutMs: 600_000,
      startTimeoutMs: 30_000,
      shutdownTimeoutMs: 90_000,
      detectionIntervalMs: 60_000,
      stableAfterMs: 300_000,
      rearmIntervalMs: 300_000,
      maxConcurrentRecoveries: 4,
      maxForcedStops: 5,
      allowDataLoss: false,
      brake: { minVms: 2, fraction: 0.25, holdMs: 120_000 },
    },
    reconcileIntervalMs: 300_000,
    strayMinAgeMs: 600_000,
  });
  assert.deepEqual(settings, {
    registryPath: "/var/lib/metald/vms",
    stateDir: "/run/metald",
    durableDir: "/var/lib/metald/state",
    launcher: "auto",
    log: { level: "info", format: "logfmt" },
    telemetry: telemetrySettings({ otlp: {}, textfile: {} }),
  });
});

test("the shipped configuration file spells out the defaults, all of them and no others", () => {
  const shipped = readFileSync(new URL("../../src/assets/config.jsonc", import.meta.url), "utf8");
  assert.deepEqual(parseJsonc(shipped), DEFAULTS);
});

test("everything that is wrong is said at once, naming key, rule and value", () => {
  const errors = errorsOf({
    enabled: "yes",
    health_check: { intervall: "1s", interval: "30", timeout: 5, failure_threshold: 0 },
    recovery: { jitter: 1.5, max_retrys: 3, brake: { fraction: -1 } },
    strays: { action: "kill" },
    state_dir: "run",
    log: { level: "loud" },
    telemetry: { otlp: { endpoint: "localhost:4318" }, textfile: { path: "/var/metald.txt" } },
  });
  const expected = [
    /Cannot use enabled as it must be true or false: current value is "yes"/,
    /Cannot use health_check\.intervall as the key is unknown, did you mean health_check\.interval: current value is "1s"/,
    /Cannot use health_check\.interval as it must be a duration with a unit .*: current value is "30"/,
    /Cannot use health_check\.timeout as it must be a duration with a unit .*: current value is 5/,
    /Cannot use health_check\.failure_threshold as it must be a whole number from 1 to 1000: current value is 0/,
    /Cannot use recovery\.jitter as it must be a number from 0 to 1: current value is 1\.5/,
    /Cannot use recovery\.max_retrys as the key is unknown, did you mean recovery\.max_retries: current value is 3/,
    /Cannot use recovery\.brake\.fraction as it must be a number from 0 to 1: current value is -1/,
    /Cannot use strays\.action as it must be "report": current value is "kill"/,
    /Cannot use state_dir as it must be an absolute path without control characters: current value is "run"/,
    /Cannot use log\.level as it must be one of "debug", "info", "warn", "error": current value is "loud"/,
    /Cannot use telemetry\.otlp\.endpoint as it must be a URL with http or https: current value is \(a text, not shown\)/,
    /Cannot use telemetry\.textfile\.path as it must be an absolute path that ends in \.prom.*: current value is "\/var/,
  ];
  for (const pattern of expected)
    assert.ok(
      errors.some((error) => pattern.test(error)),
      String(pattern),
    );
  assert.equal(errors.length, expected.length, errors.join("\n"));
});

test("a section that is no object, a document that is none, and a key named __proto__ are errors", () => {
  assert.match(errorsOf({ recovery: 7 }).join(), /Cannot use recovery as it must be an object: current value is 7/);
  for (const document of [[], null, "x", 3])
    assert.match(errorsOf(document).join(), /Cannot use the document as it must/);
  assert.match(
    errorsOf(parseJsonc('{"__proto__": {"enabled": false}}')).join(),
    /Cannot use __proto__ as the key is unknown/,
  );
});

test("a key that stands in the wrong section is named with the right one", () => {
  assert.match(errorsOf({ interval: "5s" }).join(), /did you mean health_check\.interval/);
  assert.match(errorsOf({ health_check: { allow_data_loss: true } }).join(), /did you mean recovery\.allow_data_loss/);
});

test("durations that contradict each other are errors, beside errors of other kinds", () => {
  const errors = errorsOf({
    health_check: { interval: "2s", timeout: "3s", suspect_interval: "4s", failure_threshold: -1 },
    recovery: { retry_interval: "1m", max_retry_interval: "1s", start_timeout: "1h", recovery_timeout: "1m" },
  });
  const expected = [
    /Cannot use health_check\.timeout as it must be at most health_check\.interval \(2s\).*: current value is "3s"/,
    /Cannot use health_check\.suspect_interval as it must be at most health_check\.interval \(2s\).*"4s"/,
    /Cannot use health_check\.failure_threshold/,
    /Cannot use recovery\.max_retry_interval as it must be at least recovery\.retry_interval \(1m\).*"1s"/,
    /Cannot use recovery\.recovery_timeout as it must be at least recovery\.start_timeout \(1h\).*"1m"/,
  ];
  for (const pattern of expected)
    assert.ok(
      errors.some((error) => pattern.test(error)),
      String(pattern),
    );
  assert.equal(errors.length, expected.length);
});

test("a written value that exceeds a default limit is an error", () => {
  assert.match(
    errorsOf({ health_check: { timeout: "31s" } }).join(),
    /timeout as it must be at most health_check\.interval \(30s\)/,
  );
});

test("a default gives way to a written neighbour, so that one short interval alone is valid", () => {
  const { health } = valid({ health_check: { interval: "1s" } }).policy;
  assert.deepEqual([health.intervalMs, health.timeoutMs, health.suspectIntervalMs], [1000, 1000, 1000]);
  const { recovery } = valid({ recovery: { retry_interval: "10m", start_timeout: "1h" } }).policy;
  assert.deepEqual([recovery.maxRetryIntervalMs, recovery.recoveryTimeoutMs], [600_000, 3_600_000]);
});

test("the document in force is itself a configuration with the same meaning", () => {
  const first = valid({ health_check: { interval: "1s" }, recovery: { brake: { hold: "3m" } } });
  assert.deepEqual(valid(first.document), first);
});
