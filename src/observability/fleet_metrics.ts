/**
 * The agent's metrics: counters and histograms from what it reports, gauges from the fleet's real state.
 *
 * A gauge that was counted up and down by events would drift with the first event that is lost, so gauges are read when
 * somebody collects them.
 * @module
 */

import type { Attributes, Counter, Histogram, Meter, ObservableGauge } from "@opentelemetry/api";
import type { ReliabilityEvent } from "../domain/event.ts";
import type { FleetGauges, FleetObserver } from "../ports/fleet_observer.ts";
import type { Report } from "../ports/report.ts";
import { INSTRUMENTS, type InstrumentName, type InstrumentRow } from "./instrument_table.ts";
import { HistogramInstrument } from "./metrics/instruments.ts";

type NamesOf<Kind extends InstrumentRow["kind"]> = {
  [Name in InstrumentName]: (typeof INSTRUMENTS)[Name]["kind"] extends Kind ? Name : never;
}[InstrumentName];

export interface FleetMetrics {
  readonly report: Report;
  readonly fleetObserver: FleetObserver;
  readonly exportFailed: () => void;
  /** @param lagMs how late a timer fired */
  readonly loopLag: (lagMs: number) => void;
}

export interface FleetMetricsOptions {
  /** From a provider that is in place already. */
  readonly meter: Meter;
  readonly version: string;
  /** Milliseconds on a clock that only moves forward. */
  readonly monotonic: () => number;
}

export function createFleetMetrics({ meter, version, monotonic }: FleetMetricsOptions): FleetMetrics {
  const checks = counter(meter, "unkey_metald_vm_health_checks_total");
  const checkFailures = counter(meter, "unkey_metald_vm_health_check_failures_total");
  const checksUnknown = counter(meter, "unkey_metald_vm_health_checks_unknown_total");
  const checkSeconds = histogram(meter, "unkey_metald_vm_health_check_duration_seconds");
  const orphaned = counter(meter, "unkey_metald_vm_orphaned_total");
  const attempts = counter(meter, "unkey_metald_vm_recovery_attempts_total");
  const successes = counter(meter, "unkey_metald_vm_recovery_success_total");
  const failures = counter(meter, "unkey_metald_vm_recovery_failures_total");
  const recoverySeconds = histogram(meter, "unkey_metald_vm_recovery_duration_seconds");
  const starts = counter(meter, "unkey_metald_vm_starts_total");
  const detectionSeconds = histogram(meter, "unkey_metald_vm_detection_delay_seconds");
  const exportFailures = counter(meter, "unkey_metald_export_failures_total");
  const linesDropped = counter(meter, "unkey_metald_log_lines_dropped_total");
  const lagSeconds = histogram(meter, "unkey_metald_loop_lag_seconds");

  function report(event: ReliabilityEvent): void {
    switch (event.type) {
      case "probe_finished":
        checks.add(1);
        if (event.outcome === "failure") checkFailures.add(1);
        if (event.outcome === "unknown") checksUnknown.add(1);
        checkSeconds.record(event.durationMs / 1_000);
        return;
      case "orphan_detected":
        orphaned.add(1, { reason: event.reason });
        if (event.detectionDelayMs !== undefined)
          detectionSeconds.record(event.detectionDelayMs / 1_000, { source: event.detect });
        return;
      case "recovery_attempting":
        attempts.add(1);
        return;
      case "recovery_successful":
        successes.add(1);
        recoverySeconds.record(event.totalDurationMs / 1_000, { result: "success" });
        return;
      case "attempt_failed":
        if (event.recovery) {
          failures.add(1, { cause: event.cause });
          recoverySeconds.record(event.durationMs / 1_000, { result: "failure" });
        } else {
          starts.add(1, { result: "failure" });
        }
        return;
      case "vm_started":
        starts.add(1, { result: "success" });
        return;
      case "log_lines_dropped":
        linesDropped.add(event.count);
        return;
      default:
        // All others are told by the log, or by a gauge.
        return;
    }
  }

  return {
    report,
    fleetObserver: observeFleet(meter, version, monotonic),
    exportFailed: () => exportFailures.add(1),
    loopLag: (lagMs) => lagSeconds.record(lagMs / 1_000),
  };
}

/**
 * With 0 for every value of its attribute, as the histograms: a rate over a series that appears with its first event misses that
 * event.
 */
function counter(meter: Meter, name: NamesOf<"counter">): Counter {
  const { unit, description, attribute }: InstrumentRow = INSTRUMENTS[name];
  const made = meter.createCounter(name, { unit, description });
  for (const attributes of attributeSets(attribute)) made.add(0, attributes);
  return made;
}

function histogram(meter: Meter, name: NamesOf<"histogram">): Histogram {
  const { unit, description, bounds, attribute }: InstrumentRow = INSTRUMENTS[name];
  const advice = bounds === undefined ? {} : { advice: { explicitBucketBoundaries: [...bounds] } };
  const made = meter.createHistogram(name, { unit, description, ...advice });
  // The API has no word for it: a histogram begins with a value.
  if (made instanceof HistogramInstrument) for (const attributes of attributeSets(attribute)) made.begin(attributes);
  return made;
}

function attributeSets(attribute: InstrumentRow["attribute"]): Attributes[] {
  return attribute === undefined ? [{}] : attribute.values.map((value) => ({ [attribute.key]: value }));
}

function gauge(meter: Meter, name: NamesOf<"gauge">): ObservableGauge {
  const { unit, description }: InstrumentRow = INSTRUMENTS[name];
  return meter.createObservableGauge(name, { unit, description });
}

function observeFleet(meter: Meter, version: string, monotonic: () => number): FleetObserver {
  const vms = gauge(meter, "unkey_metald_vms");
  const vmsOrphaned = gauge(meter, "unkey_metald_vms_orphaned");
  const vmsHeld = gauge(meter, "unkey_metald_vms_held");
  const oldestAge = gauge(meter, "unkey_metald_vm_orphaned_oldest_age_seconds");
  const registryAge = gauge(meter, "unkey_metald_registry_last_success_age_seconds");
  const brake = gauge(meter, "unkey_metald_brake_engaged");
  const strays = gauge(meter, "unkey_metald_stray_processes");
  const buildInfo = gauge(meter, "unkey_metald_build_info");

  let read: (() => FleetGauges) | undefined;
  let attachedAt = 0;
  meter.addBatchObservableCallback(
    (result) => {
      result.observe(buildInfo, 1, { version });
      if (read === undefined) return;
      const fleet = read();
      for (const [state, count] of Object.entries(fleet.vmsInPhase)) result.observe(vms, count, { state });
      result.observe(vmsOrphaned, fleet.orphanedVms);
      result.observe(vmsHeld, fleet.heldVms);
      result.observe(oldestAge, fleet.orphanedOldestAgeMs / 1_000);
      // A registry that was never read is as old as the agent: else nobody would be told that there is none.
      result.observe(registryAge, (fleet.registryLastSuccessAgeMs ?? monotonic() - attachedAt) / 1_000);
      result.observe(brake, fleet.brakeEngaged ? 1 : 0);
      result.observe(strays, fleet.strayProcesses);
    },
    [vms, vmsOrphaned, vmsHeld, oldestAge, registryAge, brake, strays, buildInfo],
  );

  return {
    attach(readFleet) {
      read = readFleet;
      attachedAt = monotonic();
      return () => {
        if (read !== readFleet) return;
        // The last export comes after the end of the loop, whose fleet may not be read any more.
        const last = readFleet();
        read = () => last;
      };
    },
  };
}
