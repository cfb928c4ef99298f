/**
 * Numbers about the fleet, read from its real state whenever somebody collects them, so that they cannot drift.
 * @module
 */

import type { VmPhase } from "../domain/event.ts";

export interface FleetGauges {
  /** VMs in each phase; every phase is there. */
  readonly vmsInPhase: Readonly<Record<VmPhase, number>>;
  /** Expected to run, and neither healthy nor suspect. */
  readonly orphanedVms: number;
  readonly heldVms: number;
  /** Of the VM that has been lost for longest; 0 when none is. */
  readonly orphanedOldestAgeMs: number;
  /** Since the registry was last read in full and believed; undefined: never. */
  readonly registryLastSuccessAgeMs: number | undefined;
  readonly brakeEngaged: boolean;
  readonly strayProcesses: number;
}

export interface FleetObserver {
  /** Hands over the means to read the gauges; they are valid until the returned function is called. */
  attach(read: () => FleetGauges): () => void;
}
