/**
 * What telemetry costs: one record on the hot path, one collection, one export, at a fleet of 10,000 VMs.
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VM_PHASES, type VmPhase } from "../../src/domain/event.ts";
import { wallMs } from "../../src/domain/time.ts";
import { createFleetMetrics } from "../../src/observability/fleet_metrics.ts";
import { ATTEMPT_FAILURES, ORPHAN_REASONS } from "../../src/observability/instrument_table.ts";
import { MeterProvider } from "../../src/observability/metrics/meter_provider.ts";
import { pointCount } from "../../src/observability/metrics/metric_data.ts";
import { metricsBodies } from "../../src/observability/otlp/metrics_json.ts";
import { createOtlpSender } from "../../src/observability/otlp/otlp_sender.ts";
import { resourceOf } from "../../src/observability/resource.ts";
import { prometheusText } from "../../src/observability/textfile/prometheus_text.ts";
import { writeTextfile } from "../../src/observability/textfile/textfile_writer.ts";
import type { Report } from "../../src/ports/report.ts";
import { withCollector } from "../telemetry/collector.ts";
import { median, say } from "./figures.ts";

const RECORDS = 200_000;
const ROUNDS = 7;
const EXPORTS = 50;
const PROCESS = { bootId: "b", pid: 1, startTicks: 1 };

export async function bench(): Promise<void> {
  const meters = new MeterProvider(() => wallMs(Date.now()));
  const meter = meters.getMeter("metald");
  const fleet = createFleetMetrics({ meter, version: "0.1.0", monotonic: () => performance.now() });
  fleet.fleetObserver.attach(() => ({
    vmsInPhase: Object.fromEntries(VM_PHASES.map((phase) => [phase, 666])) as Record<VmPhase, number>,
    orphanedVms: 6,
    heldVms: 0,
    orphanedOldestAgeMs: 0,
    registryLastSuccessAgeMs: 0,
    brakeEngaged: false,
    strayProcesses: 0,
  }));
  reportEverything(fleet.report);

  const counter = meter.createCounter("bench_total");
  const histogram = meter.createHistogram("bench_seconds");
  const attributes = { reason: "process_dead" };
  const two = { source: "event", result: "success" };
  const us = { atMost: 1 };
  say(
    "counter, no attribute",
    perCallUs(() => counter.add(1)),
    "us",
    us,
  );
  say(
    "counter, one attribute",
    perCallUs(() => counter.add(1, attributes)),
    "us",
    us,
  );
  say(
    "counter, two attributes",
    perCallUs(() => counter.add(1, two)),
    "us",
  );
  say(
    "histogram, no attribute",
    perCallUs((turn) => histogram.record(turn % 1_000)),
    "us",
    us,
  );
  say(
    "histogram, one attribute",
    perCallUs((turn) => histogram.record(turn % 1_000, attributes)),
    "us",
    us,
  );
  const probe = { type: "probe_finished", vmId: "vm-1", outcome: "success", durationMs: 1.5 } as const;
  say(
    "one probe's event, with its two instruments",
    perCallUs(() => fleet.report(probe)),
    "us",
    us,
  );

  const collections: number[] = [];
  for (let n = 0; n < EXPORTS * 4; n += 1) collections.push(await elapsedMs(() => meters.collect()));
  say("a collection", median(collections), "ms");

  const resource = resourceOf({ version: "0.1.0", registryPath: "/var/lib/metald/vms", attributes: {} });
  const collected = await meters.collect();
  const text = prometheusText(collected);
  const [body] = metricsBodies(resource, collected, 1_000_000);
  say("points of an export", pointCount(collected), "", { atMost: 100 });
  say("series of a textfile", text.split("\n").filter((line) => /^[^#]/.test(line)).length, "", { atMost: 300 });
  say("bytes of an export", Buffer.byteLength(body?.json ?? ""), "B", { atMost: 50_000 });
  await benchExports(meters, resource);
}

async function benchExports(meters: MeterProvider, resource: ReturnType<typeof resourceOf>): Promise<void> {
  await withCollector(async ({ url }) => {
    const tls = { certificate: undefined, clientCertificate: undefined, clientKey: undefined };
    const limits = { timeoutMs: 10_000, signal: new AbortController().signal };
    for (const compression of ["none", "gzip"] as const) {
      const target = { url: new URL("/v1/metrics", url), headers: {}, compression, tls, timeoutMs: 1, intervalMs: 1 };
      const sender = createOtlpSender(target, { monotonic: () => performance.now(), random: Math.random });
      const durations: number[] = [];
      for (let n = 0; n < EXPORTS; n += 1) {
        const send = async () => {
          const [body] = metricsBodies(resource, await meters.collect(), 1_000_000);
          await sender.send(body?.json ?? "", limits);
        };
        durations.push(await elapsedMs(send));
      }
      say(`an export by OTLP, with the collector's answer (${compression})`, median(durations), "ms");
    }
  });
  const directory = mkdtempSync(join(tmpdir(), "metald-bench-"));
  try {
    const path = join(directory, "metald.prom");
    const durations: number[] = [];
    for (let n = 0; n < EXPORTS; n += 1) {
      durations.push(await elapsedMs(async () => writeTextfile(path, prometheusText(await meters.collect()))));
    }
    say("an export by textfile", median(durations), "ms");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Begins every series that there can be. */
function reportEverything(report: Report): void {
  const ofVm = { vmId: "vm-1", vmm: "process", process: PROCESS } as const;
  for (const reason of ORPHAN_REASONS) {
    for (const detect of ["event", "sweep"] as const) {
      const loss = { type: "orphan_detected", ...ofVm, reason, detect, evidence: "", lastSeenAgoMs: 1 } as const;
      report({ ...loss, downtimeMs: 1, detectionDelayMs: 1 });
    }
  }
  for (const cause of ATTEMPT_FAILURES) {
    const attempt = { vmId: "vm-1", attempt: 1, maxRetries: 3, error: "", durationMs: 1, retryDelayMs: 1 };
    report({ type: "attempt_failed", recovery: true, cause, ...attempt });
  }
  const recovered = {
    type: "recovery_successful",
    ...ofVm,
    attempt: 1,
    reason: "process_dead",
    incarnation: 1,
  } as const;
  report({ ...recovered, totalDurationMs: 1, guestMemory: "lost" });
}

/** The median of some rounds, the first of which the compiler has to itself. */
function perCallUs(call: (turn: number) => void): number {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedAt = performance.now();
    for (let turn = 0; turn < RECORDS; turn += 1) call(turn);
    rounds.push(((performance.now() - startedAt) * 1_000) / RECORDS);
  }
  return median(rounds.slice(1));
}

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
