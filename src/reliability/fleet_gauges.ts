/**
 * Counts the fleet for whoever collects metrics.
 * @module
 */

import type { VmPhase } from "../domain/event.ts";
import { VM_PHASES } from "../domain/event.ts";
import type { MonotonicMs } from "../domain/time.ts";
import type { FleetGauges } from "../ports/fleet_observer.ts";
import { isPhase } from "../recovery/vm.ts";
import type { Fleet } from "./fleet.ts";

export interface GaugeSources {
  readonly fleet: Fleet;
  readonly registryReadAt: MonotonicMs | undefined;
  readonly strayProcesses: number;
}

export function fleetGauges({ fleet, registryReadAt, strayProcesses }: GaugeSources): FleetGauges {
  const now = fleet.deps.clock.monotonic();
  const vmsInPhase = Object.fromEntries(VM_PHASES.map((phase) => [phase, 0])) as Record<VmPhase, number>;
  let orphanedVms = 0;
  let heldVms = 0;
  let oldestAt: number = now;
  for (const { record, vm, holding } of fleet.tracked.values()) {
    vmsInPhase[vm.phase.name] += 1;
    if (holding.held) heldVms += 1;
    if (vm.loss !== undefined) oldestAt = Math.min(oldestAt, vm.loss.at);
    // A process that was just adopted lives, and its first probe is a moment away: that is no orphan.
    const justAdopted = vm.phase.name === "verifying" && vm.loss === undefined;
    if (record.desired === "running" && !isPhase(vm, "healthy", "suspect", "stopped") && !justAdopted) orphanedVms += 1;
  }
  return {
    vmsInPhase,
    orphanedVms,
    heldVms,
    orphanedOldestAgeMs: now - oldestAt,
    registryLastSuccessAgeMs: registryReadAt === undefined ? undefined : now - registryReadAt,
    brakeEngaged: fleet.brake.engaged,
    strayProcesses,
  };
}
