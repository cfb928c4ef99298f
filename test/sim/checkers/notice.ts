/**
 * A death is noticed, with or without its event: at the latest by the next sweep.
 *
 * It is asked only of an agent that could look undisturbed from the death to the bound.
 * @module
 */

import { keyOf, type SimProcess } from "../sim_process.ts";
import type { Checker, MakeChecker } from "../watch.ts";

/** For the calls of a sweep, and for an act that was under way. */
const MARGIN_MS = 30_000;

export const watchNotice: MakeChecker = (world, blame) => {
  const { host } = world;
  /** When the agent last said anything of a VM that shows that it looked. */
  const saidAt = new Map<string, number>();
  /** VMs that it has reported as lost already: their VMM's death is no news. */
  const lost = new Set<string>();
  /** The main process that it says it watches, by VM. */
  const watchedKeys = new Map<string, string>();

  const judge = (vmId: string, died: SimProcess, diedAt: number): void => {
    const life = world.agent;
    const record = host.registry.inForce(vmId);
    if (life === undefined || !life.holdsLock || life.startedAt > diedAt - MARGIN_MS || life.isFrozen) return;
    if (life.thawedAt > diedAt || host.blindUntil > diedAt || host.isShuttingDown || host.intent.isUnreadable) return;
    // Of a process that it does not watch it cannot miss the death.
    if (watchedKeys.get(vmId) !== died.key) return;
    if (host.registry.fileKind(vmId) !== "record" || record === undefined) return;
    if (record.desired !== "running" || record.launch === undefined) return;
    if (host.registry.changedAt(vmId) > diedAt - MARGIN_MS || host.intent.changedAt(vmId) > diedAt - MARGIN_MS) return;
    if (host.processes.bootId !== died.identity.bootId || world.policyChangedAt > diedAt - MARGIN_MS) return;
    if ((saidAt.get(vmId) ?? Number.NEGATIVE_INFINITY) >= diedAt || host.livingVmms(vmId).length > 0) return;
    blame("a death is noticed by the next sweep", vmId, `nothing was said of it since ${(diedAt / 1000).toFixed(3)} s`);
  };

  const checker: Checker = {
    onExit(process) {
      const { vm } = process;
      if (process.role !== "vmm" || vm === undefined) return;
      if (lost.has(vm)) return;
      const diedAt = host.now;
      const { detectionIntervalMs, shutdownTimeoutMs } = world.policy.recovery;
      // An act that was under way may wait for its own ends before it looks.
      const boundMs = detectionIntervalMs + world.healthPolicy(vm).intervalMs + shutdownTimeoutMs + MARGIN_MS;
      world.clock.after(boundMs, () => judge(vm, process, diedAt));
    },
    onLifeBegun(life) {
      if (world.agent !== undefined && world.agent !== life) return;
      watchedKeys.clear();
      lost.clear();
    },
    onEvent(_life, event) {
      if (event.type === "orphan_detected") lost.add(event.vmId);
      switch (event.type) {
        case "monitoring_started":
          watchedKeys.set(event.vmId, keyOf(event.process));
          lost.delete(event.vmId);
          return;
        case "recovery_successful":
        case "health_restored":
          lost.delete(event.vmId);
          return;
        case "orphan_detected":
        case "attempt_failed":
        case "recovery_starting":
        case "recovery_attempting":
        case "recovery_blocked":
        case "recovery_exhausted":
        case "vm_adopted":
        case "vm_starting":
        case "vm_stopped":
        case "vm_exited":
        case "vm_deleted":
        case "vm_created":
          saidAt.set(event.vmId, host.now);
          return;
        default:
          return;
      }
    },
  };
  return checker;
};
