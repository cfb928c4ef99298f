import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SignalTarget } from "../../../src/observability/otlp/otlp_plan.ts";
import { createOtlpSender, type OtlpSender } from "../../../src/observability/otlp/otlp_sender.ts";
import { ACCEPTS, type Behaviour, withCollector } from "../../telemetry/collector.ts";

const signal = new AbortController().signal;
const PATIENT = { timeoutMs: 30_000, signal };

function answers(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Behaviour {
  return { kind: "answers", status, body, headers };
}

function senderTo(url: string): OtlpSender {
  const target: SignalTarget = {
    url: new URL("/v1/metrics", url),
    headers: {},
    compression: "none",
    tls: { certificate: undefined, clientCertificate: undefined, clientKey: undefined },
    timeoutMs: 10_000,
    intervalMs: 60_000,
  };
  return createOtlpSender(target, { monotonic: () => performance.now(), random: () => 0.5 });
}

describe("sending to a collector", () => {
  it("tries again where that can help, with the same body", async () => {
    await withCollector(async (collector) => {
      collector.behave(answers(503, ""), { kind: "hangs_up" }, ACCEPTS);
      assert.deepEqual(await senderTo(collector.url).send('{"n":1}', PATIENT), { kind: "accepted" });
      assert.deepEqual(
        collector.received.map(({ text }) => text),
        ['{"n":1}', '{"n":1}', '{"n":1}'],
      );
    });
  });

  for (const status of [400, 401, 403, 404, 500, 501]) {
    it(`does not try again after ${status}`, async () => {
      await withCollector(async (collector) => {
        collector.behave(answers(status, "no"), ACCEPTS);
        const outcome = await senderTo(collector.url).send("{}", PATIENT);
        assert.deepEqual(outcome, { kind: "failed", error: `it answered ${status} no` });
        assert.equal(collector.received.length, 1);
      });
    });
  }

  it("does not send again what was too large, which only a smaller body can mend", async () => {
    await withCollector(async (collector) => {
      collector.behave(answers(413, "no"), ACCEPTS);
      const outcome = await senderTo(collector.url).send("{}", PATIENT);
      assert.deepEqual(outcome, { kind: "too_large", error: "it answered 413 no" });
      assert.equal(collector.received.length, 1);
    });
  });

  it("never sends again what was accepted in part, as that part would count twice", async () => {
    await withCollector(async (collector) => {
      collector.behave(answers(200, '{"partialSuccess":{"rejectedDataPoints":2,"errorMessage":"old"}}'), ACCEPTS);
      const outcome = await senderTo(collector.url).send("{}", PATIENT);
      assert.deepEqual(outcome, { kind: "partial", error: "it rejected 2: old" });
      assert.equal(collector.received.length, 1);
    });
  });

  it("waits as long as it is asked to, and gives up at once where that is longer than it may", async () => {
    await withCollector(async (collector) => {
      collector.behave(answers(429, "", { "retry-after": "1" }), ACCEPTS);
      const sender = senderTo(collector.url);
      const sentAt = performance.now();
      assert.equal((await sender.send("{}", PATIENT)).kind, "accepted");
      assert.ok(performance.now() - sentAt >= 1_000, "the collector asked for a second");
      collector.behave(answers(503, "busy", { "retry-after": "60" }), ACCEPTS);
      assert.deepEqual(await sender.send("{}", PATIENT), { kind: "failed", error: "it answered 503 busy" });
      assert.match(JSON.stringify(await sender.send("{}", PATIENT)), /it asked to wait for/);
      assert.equal(collector.received.length, 3);
    });
  });

  for (const retryAfter of ["0", "-5", "Fri, 02 Jan 2026 03:04:05 GMT"]) {
    it(`waits as ever where it is asked to wait for ${retryAfter}, and does not besiege the collector`, async () => {
      await withCollector(async (collector) => {
        collector.behave(answers(503, "busy", { "retry-after": retryAfter }));
        const outcome = await senderTo(collector.url).send("{}", { timeoutMs: 700, signal });
        assert.deepEqual(outcome, { kind: "failed", error: "it answered 503 busy" });
        assert.equal(collector.received.length, 2);
      });
    });
  }

  it("ends at its deadline with the reason of the last try", async () => {
    await withCollector(async (collector) => {
      collector.behave(answers(503, "busy"));
      const outcome = await senderTo(collector.url).send("{}", { timeoutMs: 700, signal });
      assert.deepEqual(outcome, { kind: "failed", error: "it answered 503 busy" });
      assert.equal(collector.received.length, 2);
    });
  });

  it("stops waiting when the agent stops", async () => {
    await withCollector(async (collector) => {
      collector.behave(answers(503, "", { "retry-after": "20" }));
      const stop = new AbortController();
      const sent = senderTo(collector.url).send("{}", { timeoutMs: 30_000, signal: stop.signal });
      stop.abort();
      assert.equal((await sent).kind, "failed");
    });
  });
});
