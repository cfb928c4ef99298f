import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { wallMs } from "../../../src/domain/time.ts";
import type { ExportOutcome } from "../../../src/observability/export_state.ts";
import { MeterProvider } from "../../../src/observability/metrics/meter_provider.ts";
import { metricsExport } from "../../../src/observability/otlp/metrics_export.ts";
import type { SignalTarget } from "../../../src/observability/otlp/otlp_plan.ts";
import type { OtlpSender, SendOutcome } from "../../../src/observability/otlp/otlp_sender.ts";

const POINTS = 100;
const TARGET: SignalTarget = {
  url: new URL("http://127.0.0.1:1/v1/metrics"),
  headers: {},
  compression: "none",
  tls: { certificate: undefined, clientCertificate: undefined, clientKey: undefined },
  timeoutMs: 10_000,
  intervalMs: 60_000,
};

/** One export of a hundred points through a sender that answers as `answer` says, and what came of it. */
async function exported(answer: (json: string) => SendOutcome) {
  const meters = new MeterProvider(() => wallMs(1_700_000_000_000));
  const counter = meters.getMeter("test").createCounter("c_total");
  for (let n = 0; n < POINTS; n += 1) counter.add(1, { n });
  const taken: string[] = [];
  const outcomes: ExportOutcome[] = [];
  let requests = 0;
  const sender: OtlpSender = {
    send: async (json) => {
      requests += 1;
      const outcome = answer(json);
      if (outcome.kind === "accepted") taken.push(json);
      return outcome;
    },
  };
  const onOutcome = (outcome: ExportOutcome) => outcomes.push(outcome);
  const { run } = metricsExport({ target: TARGET, sender, resource: {}, meters, monotonic: () => 0, onOutcome });
  await run({ timeoutMs: 10_000, signal: new AbortController().signal });
  const points = taken.flatMap((json) => [...json.matchAll(/"intValue":"(\d+)"/g)].map(([, n]) => n));
  return { points, outcomes, requests };
}

describe("an export of metrics", () => {
  it("that is too large for the collector is halved until it is taken, each point once", async () => {
    const { points, outcomes } = await exported((json) =>
      json.length > 2_000 ? { kind: "too_large", error: "413" } : { kind: "accepted" },
    );
    assert.equal(points.length, POINTS);
    assert.equal(new Set(points).size, POINTS);
    assert.deepEqual(outcomes, [{ kind: "accepted" }]);
  });

  it("of which nothing is small enough fails once, after few requests", async () => {
    const { outcomes, requests } = await exported(() => ({ kind: "too_large", error: "413" }));
    assert.deepEqual(outcomes, [{ kind: "failed", error: "413" }]);
    assert.ok(requests < 10, String(requests));
  });

  it("that fails by a bug is one that did not arrive", async () => {
    const { outcomes } = await exported(() => {
      throw new Error("a bug");
    });
    assert.deepEqual(outcomes, [{ kind: "failed", error: "a bug" }]);
  });
});
