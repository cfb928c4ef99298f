/**
 * What operators and orchestrators do at the wrong moment: to records, holds and leases.
 * @module
 */

import type { SimVm } from "../sim_vm.ts";
import type { World } from "../world.ts";
import { atSomeStep, type Fault, forAWhile, rewrite, vmmOf } from "./fault.ts";

const registryUnreadable: Fault = (world) => registryMode(world, "unreadable");
const registryEmpty: Fault = (world) => registryMode(world, "empty");

function registryMode(world: World, mode: "unreadable" | "empty"): void {
  const { registry } = world.host;
  if (registry.mode !== "ok") return;
  registry.setMode(mode, world.clock.now);
  world.log.write("registry", "-", mode);
  forAWhile(world, () => {
    if (registry.mode === mode) registry.setMode("ok", world.clock.now);
  });
}

const recordBroken: Fault = (world, vm) => {
  atSomeStep(world, vm, () => {
    const { registry } = world.host;
    const spec = registry.specOf(vm.id);
    if (spec === undefined || registry.fileKind(vm.id) !== "record") return;
    registry.breakRecord(vm.id, world.clock.now);
    world.log.write("record broken", vm.id);
    forAWhile(world, () => {
      if (registry.fileKind(vm.id) === "invalid") registry.write(spec, world.clock.now);
    });
  });
};

const recordChanged: Fault = (world, vm) => {
  atSomeStep(world, vm, () => {
    const isDisk = world.random.chance(0.5);
    world.log.write("record changed", vm.id, isDisk ? "disk" : "priority");
    rewrite(world, vm, (spec) => ({
      ...spec,
      revision: isDisk ? spec.revision + 1 : spec.revision,
      priority: spec.priority + 1,
      disks: isDisk ? [{ path: `${vm.diskPath}.${spec.revision + 1}`, shared: false }] : spec.disks,
    }));
  });
};

/** Now and then the new record names a disk that another VM has. */
const diskOfAnother: Fault = (world, vm) => {
  atSomeStep(world, vm, () => {
    const other = world.random.pick([...world.host.vms.values()]);
    world.log.write("record changed", vm.id, `disk of ${other.id}`);
    rewrite(world, vm, (spec) => ({
      ...spec,
      revision: spec.revision + 1,
      disks: [{ path: other.diskPath, shared: false }],
    }));
  });
};

const recordRemoved: Fault = (world, vm) => {
  atSomeStep(world, vm, () => {
    const { registry } = world.host;
    const spec = registry.specOf(vm.id);
    if (spec === undefined || registry.fileKind(vm.id) === "absent") return;
    registry.remove(vm.id, world.clock.now);
    world.log.write("record removed", vm.id);
    // And made anew, with another disk.
    forAWhile(world, () => {
      if (registry.fileKind(vm.id) !== "absent") return;
      const revision = spec.revision + 1;
      registry.write(
        { ...spec, revision, disks: [{ path: `${vm.diskPath}.${revision}`, shared: false }] },
        world.clock.now,
      );
    });
  });
};

const recordReplaced: Fault = (world, vm) => {
  atSomeStep(world, vm, () => {
    const { registry } = world.host;
    const spec = registry.specOf(vm.id);
    if (spec === undefined || registry.fileKind(vm.id) === "absent") return;
    const revision = spec.revision + 1;
    registry.remove(vm.id, world.clock.now);
    world.clock.after(world.random.betweenMs(0, 50), () => {
      registry.write(
        { ...spec, revision, disks: [{ path: `${vm.diskPath}.${revision}`, shared: false }] },
        world.clock.now,
      );
    });
  });
};

const desiredStopped: Fault = (world, vm) => {
  atSomeStep(world, vm, () => {
    rewrite(world, vm, (spec) => ({ ...spec, desired: "stopped" }));
    world.log.write("desired", vm.id, "stopped");
    forAWhile(world, () => desireRunning(world, vm));
  });
};

const desiredPaused: Fault = (world, vm) => {
  rewrite(world, vm, (spec) => ({ ...spec, desired: "paused" }));
  const instance = vmmOf(world, vm)?.instance;
  if (instance !== undefined && instance.guest === "running" && vm.kind !== "process") instance.guest = "paused";
  forAWhile(world, () => {
    if (instance?.guest === "paused") instance.guest = "running";
    desireRunning(world, vm);
  });
};

function desireRunning(world: World, vm: SimVm): void {
  if (world.host.registry.fileKind(vm.id) === "absent") return;
  rewrite(world, vm, (spec) => ({ ...spec, desired: "running" }));
  world.log.write("desired", vm.id, "running");
}

const hold: Fault = (world, vm) => {
  atSomeStep(world, vm, () => {
    const { host, random } = world;
    const vmId = random.chance(0.2) ? undefined : vm.id;
    const endsAfterMs = random.chance(0.5) ? random.betweenMs(1_000, 600_000) : undefined;
    const isMalformed = random.chance(0.2);
    const name = isMalformed
      ? host.intent.malformed(vmId, host.now)
      : host.intent.hold(vmId, endsAfterMs, host.now, host.wallNow);
    world.log.write(isMalformed ? "malformed hold" : "hold", vmId ?? "all", endsAfterMs);
    forAWhile(world, () => host.intent.remove(name, host.now));
  });
};

const lease: Fault = (world, vm) => {
  atSomeStep(world, vm, () => {
    const { host, random } = world;
    const holder = random.chance(0.5) ? vmmOf(world, vm)?.identity : undefined;
    const name = host.intent.lease(vm.id, random.betweenMs(1_000, 300_000), holder, host.now, host.wallNow);
    world.log.write("lease", vm.id, holder);
    forAWhile(world, () => host.intent.remove(name, host.now));
  });
};

const intentUnreadable: Fault = (world) => {
  const { host } = world;
  host.intent.setUnreadable(true, host.now);
  world.log.write("intent unreadable", "-");
  forAWhile(world, () => {
    if (host.intent.isUnreadable) host.intent.setUnreadable(false, host.now);
  });
};

export const INTENT_FAULTS = {
  "registry unreadable": registryUnreadable,
  "registry empty": registryEmpty,
  "record broken": recordBroken,
  "record changed": recordChanged,
  "disk of another": diskOfAnother,
  "record removed": recordRemoved,
  "record replaced": recordReplaced,
  "desired stopped": desiredStopped,
  "desired paused": desiredPaused,
  hold,
  lease,
  "intent unreadable": intentUnreadable,
} as const satisfies Record<string, Fault>;
