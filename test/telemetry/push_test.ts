/** The real agent and a collector: what arrives there, and what stands in the log beside it. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type TestHost, withHost } from "../host/test_host.ts";
import { waitFor } from "../host/wait.ts";
import { type Collector, type ReceivedRequest, withCollector } from "./collector.ts";

const LONG = { timeout: 120_000 };
const RECORD = { vmm: "process", launch: { argv: ["/bin/sleep", "1000000"] } };

interface SpanJson {
  readonly traceId: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
}

describe("the agent's push to a collector", () => {
  it("brings metrics and the spans of a recovery, whose trace stands on its log lines", LONG, async () => {
    await withCollector((collector) =>
      withHost(
        async (host) => {
          const id = host.newId("traced");
          host.writeRecord(id, RECORD);
          const agent = host.startAgent();
          await agent.waitForLine({ msg: "vm started", vm_id: id });
          process.kill(await host.onlyProcess(id), "SIGKILL");
          const recovered = await agent.waitForLine({ msg: "vm recovery successful", vm_id: id });
          const traceId = recovered["trace_id"] ?? "";
          assert.match(traceId, /^[0-9a-f]{32}$/);
          for (const msg of ["orphaned vm detected", "starting vm recovery", "vm fenced", "attempting vm recovery"]) {
            assert.equal((await agent.waitForLine({ msg, vm_id: id }))["trace_id"], traceId);
          }
          const spans = await waitFor("the trace is there", () => {
            const isOfRecovery = (span: SpanJson) => span.traceId === traceId && span.name !== "vm_health_check";
            const found = spansIn(collector.received).filter(isOfRecovery);
            return found.length === 2 ? found : undefined;
          });
          assert.deepEqual(
            spans.map(({ name }) => name),
            ["detect_orphaned_vms", "recovery_attempt"],
          );
          for (const { attributes } of spans) {
            assert.ok(attributes.some(({ key, value }) => key === "vm_id" && value.stringValue === id));
          }
          assert.equal(await agent.end("SIGTERM"), 0);
          assert.match(lastMetrics(collector), /"unkey_metald_vm_recovery_success_total"/);
          assert.deepEqual(agent.linesWith({ msg: "telemetry export failed" }), []);
        },
        { telemetry: { otlp: { endpoint: collector.url, interval: "1s", compression: "gzip" } } },
      ),
    );
  });

  it("exports a last time when the agent is stopped, long before the interval is over", LONG, async () => {
    await withCollector((collector) =>
      withHost(
        async (host) => {
          const id = host.newId("last");
          host.writeRecord(id, RECORD);
          const agent = host.startAgent();
          await agent.waitForLine({ msg: "vm started", vm_id: id });
          await waitFor("the first export has arrived", () => collector.received.length === 1);
          process.kill(await host.onlyProcess(id), "SIGKILL");
          await agent.waitForLine({ msg: "vm recovery successful", vm_id: id });
          assert.equal(await agent.end("SIGTERM"), 0);
          assert.equal(collector.received.length, 2);
          const json = JSON.stringify(collector.received[1]?.json);
          assert.match(json, /"unkey_metald_vm_recovery_success_total".*?"asDouble":1[,}]/);
        },
        { telemetry: { otlp: { metrics_endpoint: `${collector.url}/own/path`, interval: "1d" } } },
      ).then(() => assert.ok(collector.received.every(({ path }) => path === "/own/path"))),
    );
  });

  it("does not keep the agent from stopping when the collector is a black hole", LONG, async () => {
    await withCollector((collector) => {
      collector.behave({ kind: "black_hole" });
      return withHost(
        async (host) => {
          const agent = host.startAgent();
          await waitFor("an export is under way", () => collector.received.length > 0, agent.text);
          const before = performance.now();
          assert.equal(await agent.end("SIGTERM"), 0);
          console.log(`stopped after ${Math.round(performance.now() - before)} ms beside a black hole`);
        },
        { telemetry: { otlp: { endpoint: collector.url, interval: "100ms" } } },
      );
    });
  });
});

describe("the agent's textfile", () => {
  it("is left alone by a second agent, which has no lock", LONG, async () => {
    await withTextfile(async (host, path) => {
      const first = host.startAgent();
      const id = host.newId("counted");
      host.writeRecord(id, RECORD);
      await first.waitForLine({ msg: "vm started", vm_id: id });
      await waitFor("the start is counted", () => textOf(path).includes('starts_total{result="success"} 1'));
      const second = host.startAgent();
      assert.equal(await second.exited, 75);
      assert.match(textOf(path), /starts_total\{result="success"\} 1/);
      assert.equal(await first.end("SIGTERM"), 0);
      assert.match(textOf(path), /unkey_metald_vms\{state="healthy"\} 1/);
      assert.equal(statSync(path).mode & 0o777, 0o644);
    });
  });

  it("that cannot be written costs one line, and one when it can again", LONG, async () => {
    await withTextfile(async (host, path) => {
      rmSync(join(path, ".."), { recursive: true });
      const agent = host.startAgent();
      const line = await agent.waitForLine({ msg: "telemetry export failed", exporter: "textfile" });
      assert.deepEqual([line["level"], line["component"], line["target"]], ["WARN", "reliability", path]);
      assert.match(line["error"] ?? "", /ENOENT|not found|No such/i);
      assert.equal(await agent.end("SIGTERM"), 0);
      assert.equal(agent.linesWith({ msg: "telemetry export failed" }).length, 1);
    });
  });
});

async function withTextfile(body: (host: TestHost, path: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "metald-textfiles-"));
  const path = join(directory, "metald.prom");
  try {
    await withHost((host) => body(host, path), { telemetry: { textfile: { path, interval: "200ms" } } });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function lastMetrics({ received }: Collector): string {
  return JSON.stringify(received.findLast(({ path }) => path === "/v1/metrics")?.json);
}

function spansIn(received: readonly ReceivedRequest[]): SpanJson[] {
  return received
    .filter(({ path }) => path === "/v1/traces")
    .flatMap(({ json }) => [...JSON.stringify(json).matchAll(/"spans":(\[.*\])\}\]\}\]\}$/g)])
    .flatMap(([, spans]) => JSON.parse(spans ?? "[]"));
}
