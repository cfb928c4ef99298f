/**
 * The world of the reliability loop, as one argument. `main.ts` fills it with the host, the simulator with a simulated one.
 * @module
 */

import type { Clock } from "../ports/clock.ts";
import type { Control } from "../ports/control.ts";
import type { DiskHolders } from "../ports/disk_holders.ts";
import type { FleetObserver } from "../ports/fleet_observer.ts";
import type { GuestProbe } from "../ports/guest_probe.ts";
import type { Hooks } from "../ports/hooks.ts";
import type { Host } from "../ports/host.ts";
import type { InstanceLock } from "../ports/instance_lock.ts";
import type { Intent } from "../ports/intent.ts";
import type { Launcher } from "../ports/launcher.ts";
import type { Notify } from "../ports/notify.ts";
import type { ProcessEvents } from "../ports/process_events.ts";
import type { ProcessTable } from "../ports/process_table.ts";
import type { Random } from "../ports/random.ts";
import type { Registry } from "../ports/registry.ts";
import type { Report } from "../ports/report.ts";
import type { StateStore } from "../ports/state_store.ts";
import type { StatusBoard } from "../ports/status_board.ts";
import type { Vmm } from "../ports/vmm.ts";

export interface Dependencies {
  readonly version: string;
  /** The user the agent runs as: its processes may be a VM's. */
  readonly uid: number;
  /** The uid of a user named in a record; undefined when there is none. */
  readonly uidOf: (user: string) => number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly registry: Registry;
  readonly intent: Intent;
  readonly processTable: ProcessTable;
  readonly processEvents: ProcessEvents;
  readonly launcher: Launcher;
  readonly vmm: Vmm;
  readonly guestProbe: GuestProbe;
  readonly diskHolders: DiskHolders;
  readonly hooks: Hooks;
  readonly stateStore: StateStore;
  readonly instanceLock: InstanceLock;
  readonly host: Host;
  readonly notify: Notify;
  readonly control: Control;
  readonly statusBoard: StatusBoard;
  readonly fleetObserver: FleetObserver;
  readonly report: Report;
}
