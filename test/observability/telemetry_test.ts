import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { context, metrics, trace } from "@opentelemetry/api";
import { VM_PHASES, type VmPhase } from "../../src/domain/event.ts";
import type { LogEntry } from "../../src/observability/log_record.ts";
import { createTelemetry, type TelemetryOptions } from "../../src/observability/telemetry.ts";
import { waitFor } from "../host/wait.ts";
import { withCollector } from "../telemetry/collector.ts";

const FLEET = {
  vmsInPhase: Object.fromEntries(VM_PHASES.map((phase) => [phase, 0])) as Record<VmPhase, number>,
  orphanedVms: 0,
  heldVms: 0,
  orphanedOldestAgeMs: 0,
  registryLastSuccessAgeMs: 0,
  brakeEngaged: false,
  strayProcesses: 0,
};

/** Runs `body` with what a telemetry writes to the log, and takes its global providers away afterwards. */
async function withTelemetry(
  options: Partial<TelemetryOptions>,
  body: (telemetry: ReturnType<typeof createTelemetry>, said: readonly LogEntry[]) => Promise<void>,
): Promise<void> {
  const said: LogEntry[] = [];
  const telemetry = createTelemetry({
    otlp: {},
    textfile: { path: undefined, intervalMs: 15_000 },
    environment: {},
    version: "0.1.0",
    registryPath: "/vms",
    log: { log: (entry) => said.push(entry), setLevel: assert.fail },
    ...options,
  });
  try {
    await body(telemetry, said);
  } finally {
    await telemetry.stop(1_000);
    metrics.disable();
    trace.disable();
    context.disable();
  }
}

describe("the agent's telemetry", () => {
  it("does nothing when it has nowhere to go", async () => {
    await withTelemetry({}, async (telemetry, said) => {
      telemetry.report({ type: "log_lines_dropped", count: 1 });
      telemetry.fleetObserver.attach(() => assert.fail("nobody may read the fleet"))();
      assert.equal(telemetry.follow({ type: "log_lines_dropped", count: 1 }), undefined);
      assert.deepEqual(said, []);
    });
  });

  it("is off by OTEL_SDK_DISABLED in every form", async () => {
    const directory = mkdtempSync(join(tmpdir(), "metald-telemetry-"));
    try {
      const textfile = { path: join(directory, "metald.prom"), intervalMs: 1 };
      await withTelemetry({ textfile, environment: { OTEL_SDK_DISABLED: "True" } }, async (telemetry) => {
        telemetry.fleetObserver.attach(() => FLEET);
      });
      assert.equal(existsSync(textfile.path), false);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it("writes nothing before the fleet is there, as this agent may not be the one that has the lock", async () => {
    const directory = mkdtempSync(join(tmpdir(), "metald-telemetry-"));
    const textfile = { path: join(directory, "metald.prom"), intervalMs: 1 };
    try {
      await withTelemetry({ textfile }, async (telemetry) => {
        await telemetry.stop(1_000);
        assert.equal(existsSync(textfile.path), false);
      });
      await withTelemetry({ textfile }, async (telemetry) => {
        telemetry.fleetObserver.attach(() => FLEET);
        await waitFor("the file is there", () => existsSync(textfile.path));
      });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it("is behind the API of OpenTelemetry, so that what others record there is exported too", async () => {
    const directory = mkdtempSync(join(tmpdir(), "metald-telemetry-"));
    const textfile = { path: join(directory, "metald.prom"), intervalMs: 60_000 };
    try {
      await withTelemetry({ textfile }, async (telemetry) => {
        metrics.getMeter("other").createCounter("other_total").add(3);
        telemetry.fleetObserver.attach(() => FLEET);
        await telemetry.stop(10_000);
        assert.match(readFileSync(textfile.path, "utf8"), /^other_total 3$/m);
      });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it("says which variables it ignored, and shows no secret of a URL in its lines", async () => {
    await withCollector(async (collector) => {
      collector.behave({ kind: "answers", status: 401, body: "who are you" });
      const endpoint = `${collector.url.replace("://", "://user:secret@")}/?token=secret`;
      const environment = { OTEL_METRIC_EXPORT_INTERVAL: "never" };
      await withTelemetry({ otlp: { endpoint }, environment }, async (telemetry, said) => {
        telemetry.fleetObserver.attach(() => FLEET);
        await telemetry.stop(10_000);
        const lines = said.map(({ levelName, msg }) => `${levelName} ${msg}`);
        assert.deepEqual(lines, ["WARN telemetry variable ignored", "WARN telemetry export failed"]);
        assert.match(JSON.stringify(said), /OTEL_METRIC_EXPORT_INTERVAL.*who are you/);
        assert.ok(!JSON.stringify(said).includes("secret"));
      });
    });
  });
});
