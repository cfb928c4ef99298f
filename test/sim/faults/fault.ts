/**
 * One kind of fault: something that goes wrong on a host, and how it ends.
 * @module
 */

import type { SimProcess } from "../sim_process.ts";
import type { RecordSpec } from "../sim_record.ts";
import type { SimVm } from "../sim_vm.ts";
import type { World } from "../world.ts";

/** Strikes one VM, or the host that it is on. It does nothing where it makes no sense at the moment. */
export type Fault = (world: World, vm: SimVm) => void;

/** How long most faults last: from a moment to longer than any threshold. */
export function drawDurationMs(world: World): number {
  const { random } = world;
  return random.chance(0.5) ? random.betweenMs(500, 20_000) : random.betweenMs(20_000, 900_000);
}

/** Begins something now and ends it later, unless the faults are over by then and it was ended already. */
export function forAWhile(world: World, end: () => void): void {
  world.clock.after(drawDurationMs(world), end);
}

/** The VMM of a VM that lives; undefined when none does. */
export function vmmOf(world: World, vm: SimVm): SimProcess | undefined {
  return world.host.livingVmms(vm.id)[0];
}

/** Writes a VM's record anew, changed, whether or not it stood there. */
export function rewrite(world: World, vm: SimVm, change: (spec: RecordSpec) => RecordSpec): void {
  const spec = world.host.registry.specOf(vm.id);
  if (spec === undefined) return;
  world.host.registry.write(change(spec), world.clock.now);
}

/** Does it now, or at a delicate moment of the agent's: between two of its steps for that VM. */
export function atSomeStep(world: World, vm: SimVm, run: () => void): void {
  const point = world.random.pick(STEPS);
  if (point === NOW) run();
  else world.setTripwire(point, vm.id, run);
}

const NOW = "now";
const STEPS: readonly string[] = [
  NOW,
  NOW,
  "record_read",
  "intent_read",
  "state_saved",
  "launch",
  "orphan_detected",
  "recovery_starting",
  "recovery_attempting",
  "vm_starting",
  "attempt_failed",
  "recovery_successful",
  "vm_started",
  "marked_unhealthy",
];
