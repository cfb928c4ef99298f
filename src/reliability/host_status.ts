/**
 * The state of the fleet as `metald status` shows it.
 * @module
 */

import type { MonotonicMs, WallMs } from "../domain/time.ts";
import { wallMs } from "../domain/time.ts";
import type { InvalidRecord } from "../ports/registry.ts";
import type { HostStatus, Some, VmStatus } from "../ports/status_board.ts";
import type { Fleet } from "./fleet.ts";
import type { TrackedVm } from "./tracked_vm.ts";

/** Of what may be many; more of them tell a person no more. */
const SHOWN_MAX = 100;

/** What is known of the registry beside the VMs. */
export interface RegistryCondition {
  readonly unreadable: string | undefined;
  readonly refused: ReadonlyMap<string, InvalidRecord>;
}

export function hostStatus(fleet: Fleet, registry: RegistryCondition): HostStatus {
  const { clock, version, launcher } = fleet.deps;
  const at = clock.wall();
  const now = clock.monotonic();
  // Instants are for people here, so they are turned into the wall clock's by their distance from now.
  const onWall = (instant: MonotonicMs): WallMs => wallMs(at + (instant - now));
  return {
    version,
    launcher: launcher.kind,
    at,
    enabled: fleet.policy.enabled,
    registryUnreadable: registry.unreadable,
    brakeEngaged: fleet.brake.engaged,
    refusedRecords: some([...registry.refused.values()].map(({ id, path, error }) => ({ id, path, error }))),
    unmatchedHolds: some(fleet.holdings.unmatched((id) => fleet.tracked.has(id))),
    vms: [...fleet.tracked.values()].map((tracked) => vmStatus(tracked, onWall)),
  };
}

function some<T>(all: readonly T[]): Some<T> {
  return { count: all.length, first: all.slice(0, SHOWN_MAX) };
}

function vmStatus({ id, record, vm, holding }: TrackedVm, onWall: (instant: MonotonicMs) => WallMs): VmStatus {
  const { phase, main, health, attempts, why } = vm;
  return {
    id,
    desired: record.desired,
    phase: phase.name,
    vmm: main?.runsWith.vmm ?? record.vmm,
    process: main?.identity,
    since: onWall(phase.since),
    held: holding.held,
    heldBecause: holding.reason,
    consecutiveFailures: health.consecutiveFailures,
    attempts,
    nextAttemptAt: "retryAt" in phase ? onWall(phase.retryAt) : undefined,
    blockedReason: phase.name === "blocked" ? phase.reason : undefined,
    why,
  };
}
