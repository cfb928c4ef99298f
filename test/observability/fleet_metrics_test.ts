import assert from "node:assert/strict";
import { hostname } from "node:os";
import { describe, it } from "node:test";
import { VM_PHASES, type VmPhase } from "../../src/domain/event.ts";
import { wallMs } from "../../src/domain/time.ts";
import { createFleetMetrics } from "../../src/observability/fleet_metrics.ts";
import { ATTEMPT_FAILURES, INSTRUMENTS, ORPHAN_REASONS } from "../../src/observability/instrument_table.ts";
import { MeterProvider } from "../../src/observability/metrics/meter_provider.ts";
import { type Metric, pointCount } from "../../src/observability/metrics/metric_data.ts";
import { metricsBodies } from "../../src/observability/otlp/metrics_json.ts";
import { resourceOf } from "../../src/observability/resource.ts";
import { prometheusText } from "../../src/observability/textfile/prometheus_text.ts";
import type { FleetGauges } from "../../src/ports/fleet_observer.ts";
import { EVENT_EXAMPLES } from "./event_examples.ts";

const NOBODY_IN_PHASE = Object.fromEntries(VM_PHASES.map((phase) => [phase, 0])) as Record<VmPhase, number>;
const GAUGES: FleetGauges = {
  vmsInPhase: { ...NOBODY_IN_PHASE, healthy: 9_990, failed: 7, blocked: 3 },
  orphanedVms: 10,
  heldVms: 2,
  orphanedOldestAgeMs: 61_500,
  registryLastSuccessAgeMs: 250,
  brakeEngaged: true,
  strayProcesses: 4,
};
const process = { bootId: "b", pid: 1, startTicks: 1 };
const ofVm = { vmId: "vm-1", vmm: "process", process } as const;

function fleet() {
  let now = 0;
  const meters = new MeterProvider(() => wallMs(1_700_000_000_000));
  const metrics = createFleetMetrics({ meter: meters.getMeter("metald"), version: "0.1.0", monotonic: () => now });
  const collect = async (): Promise<readonly Metric[]> => (await meters.collect()).flatMap((scope) => scope.metrics);
  return {
    ...metrics,
    meters,
    collect,
    passTo: (at: number) => {
      now = at;
    },
    /** The value of the series whose attributes are exactly these; a histogram's is its count and sum. */
    value: async (name: keyof typeof INSTRUMENTS, attributes: object = {}) => {
      const metric = (await collect()).find((each) => each.name === name);
      const wanted = JSON.stringify(attributes);
      const point = metric?.points.find((each) => JSON.stringify(each.attributes) === wanted);
      if (point === undefined) return undefined;
      return "value" in point ? point.value : [point.count, point.sum];
    },
  };
}

describe("the agent's metrics", () => {
  it("have every counter and histogram with every value of its attribute at 0 before anything happens", async () => {
    const { collect } = fleet();
    const rows = Object.entries(INSTRUMENTS).filter(([, { kind }]) => kind !== "gauge");
    const metrics = (await collect()).filter(({ kind }) => kind !== "gauge");
    assert.deepEqual(metrics.map(({ name }) => name).sort(), rows.map(([name]) => name).sort());
    for (const { name, points } of metrics) {
      const row = INSTRUMENTS[name as keyof typeof INSTRUMENTS];
      assert.equal(points.length, "attribute" in row ? row.attribute.values.length : 1, name);
      assert.ok(points.every((point) => ("value" in point ? point.value : point.count) === 0));
    }
  });

  it("have the two operands of the success ratio with the same attributes: none", async () => {
    const { value } = fleet();
    assert.equal(await value("unkey_metald_vm_recovery_attempts_total"), 0);
    assert.equal(await value("unkey_metald_vm_recovery_success_total"), 0);
  });

  it("count probes by how they ended", async () => {
    const { report, value } = fleet();
    for (const outcome of ["success", "success", "failure", "unknown"] as const) {
      report({ type: "probe_finished", vmId: "vm-1", outcome, durationMs: 2 });
    }
    assert.equal(await value("unkey_metald_vm_health_checks_total"), 4);
    assert.equal(await value("unkey_metald_vm_health_check_failures_total"), 1);
    assert.equal(await value("unkey_metald_vm_health_checks_unknown_total"), 1);
    assert.deepEqual(await value("unkey_metald_vm_health_check_duration_seconds"), [4, 0.008]);
  });

  it("count a loss by its reason, and its delay by what saw it", async () => {
    const { report, value } = fleet();
    const loss = { type: "orphan_detected", ...ofVm, evidence: "x", lastSeenAgoMs: 1, downtimeMs: 1 } as const;
    report({ ...loss, reason: "process_dead", detect: "event", detectionDelayMs: 500 });
    report({ ...loss, reason: "process_dead", detect: "sweep", detectionDelayMs: undefined });
    report({ ...loss, reason: "socket_unreachable", detect: "sweep", detectionDelayMs: 2_000 });
    assert.equal(await value("unkey_metald_vm_orphaned_total", { reason: "process_dead" }), 2);
    assert.equal(await value("unkey_metald_vm_orphaned_total", { reason: "socket_unreachable" }), 1);
    assert.deepEqual(await value("unkey_metald_vm_detection_delay_seconds", { source: "event" }), [1, 0.5]);
    assert.deepEqual(await value("unkey_metald_vm_detection_delay_seconds", { source: "sweep" }), [1, 2]);
  });

  it("count each attempt as one success or one failure, and first starts apart from recoveries", async () => {
    const { report, value } = fleet();
    const attempt = { vmId: "vm-1", attempt: 1, maxRetries: 3 };
    const ended = { ...attempt, type: "attempt_failed", error: "x", durationMs: 4_000, retryDelayMs: 1 } as const;
    const attempting = { ...attempt, type: "recovery_attempting", reason: "process_dead", action: "restart" } as const;
    report(attempting);
    report({ ...ended, recovery: true, cause: "timeout" });
    report(attempting);
    report({
      type: "recovery_successful",
      ...ofVm,
      attempt: 2,
      reason: "process_dead",
      incarnation: 2,
      totalDurationMs: 1_500,
      guestMemory: "lost",
    });
    report({ ...ended, recovery: false, cause: "process_died" });
    report({ type: "vm_started", ...ofVm, attempt: 2, durationMs: 100 });
    assert.equal(await value("unkey_metald_vm_recovery_attempts_total"), 2);
    assert.equal(await value("unkey_metald_vm_recovery_success_total"), 1);
    assert.equal(await value("unkey_metald_vm_recovery_failures_total", { cause: "timeout" }), 1);
    assert.equal(await value("unkey_metald_vm_recovery_failures_total", { cause: "process_died" }), 0);
    assert.deepEqual(await value("unkey_metald_vm_recovery_duration_seconds", { result: "failure" }), [1, 4]);
    assert.deepEqual(await value("unkey_metald_vm_recovery_duration_seconds", { result: "success" }), [1, 1.5]);
    assert.equal(await value("unkey_metald_vm_starts_total", { result: "failure" }), 1);
    assert.equal(await value("unkey_metald_vm_starts_total", { result: "success" }), 1);
  });

  it("count what the log and the exporters lost, and how late the loop is", async () => {
    const { report, exportFailed, loopLag, value } = fleet();
    report({ type: "log_lines_dropped", count: 17 });
    exportFailed();
    loopLag(250);
    assert.equal(await value("unkey_metald_log_lines_dropped_total"), 17);
    assert.equal(await value("unkey_metald_export_failures_total"), 1);
    assert.deepEqual(await value("unkey_metald_loop_lag_seconds"), [1, 0.25]);
  });

  it("read gauges from the fleet when they are collected, every state always among them", async () => {
    const { fleetObserver, value } = fleet();
    assert.equal(await value("unkey_metald_vms", { state: "healthy" }), undefined);
    let gauges = GAUGES;
    fleetObserver.attach(() => gauges);
    for (const state of VM_PHASES) {
      assert.equal(await value("unkey_metald_vms", { state }), GAUGES.vmsInPhase[state]);
    }
    assert.equal(await value("unkey_metald_vms_orphaned"), 10);
    assert.equal(await value("unkey_metald_vms_held"), 2);
    assert.equal(await value("unkey_metald_vm_orphaned_oldest_age_seconds"), 61.5);
    assert.equal(await value("unkey_metald_registry_last_success_age_seconds"), 0.25);
    assert.equal(await value("unkey_metald_brake_engaged"), 1);
    assert.equal(await value("unkey_metald_stray_processes"), 4);
    assert.equal(await value("unkey_metald_build_info", { version: "0.1.0" }), 1);
    gauges = { ...GAUGES, orphanedVms: 0, brakeEngaged: false };
    assert.equal(await value("unkey_metald_vms_orphaned"), 0);
    assert.equal(await value("unkey_metald_brake_engaged"), 0);
  });

  it("call a registry that was never read as old as the agent", async () => {
    const { fleetObserver, passTo, value } = fleet();
    passTo(1_000);
    fleetObserver.attach(() => ({ ...GAUGES, registryLastSuccessAgeMs: undefined }));
    passTo(701_000);
    assert.equal(await value("unkey_metald_registry_last_success_age_seconds"), 700);
  });

  it("keep the fleet's last numbers for the export at the end, and read it no more", async () => {
    const { fleetObserver, value } = fleet();
    let reads = 0;
    const detach = fleetObserver.attach(() => {
      reads += 1;
      return GAUGES;
    });
    detach();
    assert.equal(await value("unkey_metald_vms_orphaned"), 10);
    assert.equal(reads, 1);
  });

  it("stay within 100 points, 300 series and 50 kB at 10,000 VMs, with every series that there can be", async () => {
    const { report, fleetObserver, loopLag, meters } = fleet();
    fleetObserver.attach(() => GAUGES);
    for (const examples of Object.values(EVENT_EXAMPLES)) for (const event of examples) report(event);
    const loss = { type: "orphan_detected", ...ofVm, evidence: "x", lastSeenAgoMs: 1, downtimeMs: 1 } as const;
    for (const reason of ORPHAN_REASONS) {
      for (const detect of ["event", "sweep"] as const) report({ ...loss, reason, detect, detectionDelayMs: 1 });
    }
    for (const cause of ATTEMPT_FAILURES) {
      const attempt = { vmId: "vm-1", attempt: 1, maxRetries: 3, error: "x", durationMs: 1, retryDelayMs: 1 };
      report({ type: "attempt_failed", recovery: true, cause, ...attempt });
    }
    loopLag(1);
    const collected = await meters.collect();
    const names = collected.flatMap((scope) => scope.metrics.map(({ name }) => name));
    assert.deepEqual(names.sort(), Object.keys(INSTRUMENTS).sort());
    assert.ok(pointCount(collected) <= 100, `${pointCount(collected)} points`);
    const text = prometheusText(collected);
    const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
    assert.ok(series <= 300, `${series} series`);
    const resource = resourceOf({ version: "0.1.0", registryPath: "/var/lib/metald/vms", attributes: {} });
    const bodies = metricsBodies(resource, collected, 1_000_000);
    assert.equal(bodies.length, 1);
    const bytes = Buffer.byteLength(bodies[0]?.json ?? "");
    assert.ok(bytes <= 50_000, `${bytes} bytes`);
    console.log(
      `an export: ${pointCount(collected)} points, ${series} series, ${bytes} bytes, a textfile of ${text.length}`,
    );
  });

  it("have no attribute that could name a VM", async () => {
    const { report, fleetObserver, collect } = fleet();
    fleetObserver.attach(() => GAUGES);
    for (const examples of Object.values(EVENT_EXAMPLES)) for (const event of examples) report(event);
    const keys = new Set(
      (await collect()).flatMap(({ points }) => points.flatMap((each) => Object.keys(each.attributes))),
    );
    assert.deepEqual([...keys].sort(), ["cause", "reason", "result", "source", "state", "version"]);
  });
});

describe("who exports", () => {
  it("has an id that is the same after a restart, names the host, and differs by registry and by machine", () => {
    const boot = "/proc/sys/kernel/random/boot_id";
    const of = (registryPath: string, machineIdPath = boot) =>
      String(resourceOf({ version: "1", registryPath, attributes: {}, machineIdPath })["service.instance.id"]);
    assert.ok(of("/a").startsWith(`${hostname()}-`));
    assert.match(of("/a").slice(hostname().length), /^-[0-9a-f]{8}$/);
    assert.equal(of("/a"), of("/a"));
    assert.notEqual(of("/a"), of("/b"));
    assert.notEqual(of("/a"), of("/a", "/proc/version"));
    assert.equal(of("/a", "/nowhere"), of("/a", "/nowhere"));
  });

  it("is named as the operator says", () => {
    const attributes = { "service.name": "metald-a", "host.name": "h1", rack: "7" };
    const resource = resourceOf({ version: "1", registryPath: "/a", attributes });
    assert.deepEqual([resource["service.name"], resource["host.name"], resource["rack"]], ["metald-a", "h1", "7"]);
  });
});
