/**
 * The agent's telemetry in a process of its own, in the fast: it exports every few milliseconds what a fleet in trouble reports, and
 * prints how much memory is alive after each hundredth of its exports.
 *
 * `exporting_program.ts <endpoint> <exports>`
 * @module
 */

import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { VM_PHASES, type VmPhase } from "../../src/domain/event.ts";
import { createTelemetry } from "../../src/observability/telemetry.ts";

export interface MemorySample {
  readonly exports: number;
  /** After a full collection of garbage. */
  readonly heapBytes: number;
  readonly residentBytes: number;
}

const SAMPLES = 100;
const EVERY_MS = 10;
const [endpoint = "", exportsText = ""] = process.argv.slice(2);
const exportsWanted = Number(exportsText);
const collectGarbage = garbageCollector();

let exported = 0;
const telemetry = createTelemetry({
  otlp: { endpoint, intervalMs: EVERY_MS, timeoutMs: 2 * EVERY_MS, healthCheckSpans: "all" },
  textfile: { path: undefined, intervalMs: EVERY_MS },
  environment: { OTEL_BSP_SCHEDULE_DELAY: String(EVERY_MS) },
  version: "0.1.0",
  registryPath: "/vms",
  log: { log: () => undefined, setLevel: () => undefined },
});
// A collection is what begins an export of metrics.
telemetry.fleetObserver.attach(() => {
  exported += 1;
  if (exported % Math.ceil(exportsWanted / SAMPLES) === 0) setImmediate(sample);
  return {
    vmsInPhase: Object.fromEntries(VM_PHASES.map((phase) => [phase, 1])) as Record<VmPhase, number>,
    orphanedVms: 1,
    heldVms: 0,
    orphanedOldestAgeMs: 1,
    registryLastSuccessAgeMs: 1,
    brakeEngaged: false,
    strayProcesses: 0,
  };
});
const trouble = setInterval(reportTrouble, 1);

function reportTrouble(): void {
  const vmId = `vm-${Math.floor(Math.random() * 100)}`;
  const error = `connect ECONNREFUSED /run/vms/${vmId}.sock`;
  const report = (event: Parameters<typeof telemetry.report>[0]): void => {
    telemetry.report(event);
    telemetry.follow(event);
  };
  report({ type: "probe_finished", vmId, outcome: "failure", durationMs: 3 });
  report({ type: "health_check_failed", vmId, layer: "socket", failureCount: 1, threshold: 3, error, durationMs: 3 });
  report({
    type: "attempt_failed",
    vmId,
    attempt: 1,
    maxRetries: 3,
    recovery: true,
    cause: "launch_refused",
    error,
    durationMs: 5,
    retryDelayMs: 10,
  });
}

function sample(): void {
  collectGarbage();
  const { heapUsed, external, rss } = process.memoryUsage();
  const line: MemorySample = { exports: exported, heapBytes: heapUsed + external, residentBytes: rss };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (exported < exportsWanted) return;
  clearInterval(trouble);
  process.exit(0);
}

function garbageCollector(): () => void {
  const bun: { readonly gc: (force: boolean) => void } | undefined = Reflect.get(globalThis, "Bun");
  if (bun !== undefined) return () => bun.gc(true);
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("gc");
  if (typeof gc !== "function") throw new Error("Cannot collect garbage as the runtime must offer it");
  return () => gc();
}
