import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ExportOutcome } from "../../../src/observability/export_state.ts";
import type { SignalTarget } from "../../../src/observability/otlp/otlp_plan.ts";
import { tracesExport } from "../../../src/observability/otlp/traces_export.ts";
import { QUEUED_SPANS_MAX, TracerProvider } from "../../../src/observability/trace/tracer_provider.ts";

const TARGET: SignalTarget = {
  url: new URL("http://127.0.0.1:1/v1/traces"),
  headers: {},
  compression: "none",
  tls: { certificate: undefined, clientCertificate: undefined, clientKey: undefined },
  timeoutMs: 10_000,
  intervalMs: 5_000,
};

describe("an export of traces", () => {
  it("says when spans were dropped before it, as they are missing like those that a collector rejects", async () => {
    const tracers = new TracerProvider({ now: Date.now, sampleRatio: 1 });
    const outcomes: ExportOutcome[] = [];
    let bytes = 0;
    const { run } = tracesExport({
      target: TARGET,
      resource: {},
      tracers,
      sender: {
        send: async (json) => {
          bytes += json.length;
          return { kind: "accepted" };
        },
      },
      monotonic: () => 0,
      onOutcome: (outcome) => outcomes.push(outcome),
    });
    const limits = { timeoutMs: 10_000, signal: new AbortController().signal };
    for (let n = 0; n < QUEUED_SPANS_MAX + 3; n += 1) tracers.getTracer("test").startSpan("s").end();
    await run(limits);
    assert.ok(bytes > 0);
    tracers.getTracer("test").startSpan("s").end();
    await run(limits);
    await run(limits);
    assert.deepEqual(outcomes, [
      { kind: "partial", error: "3 spans were dropped, as 2048 waited" },
      { kind: "accepted" },
    ]);
  });
});
