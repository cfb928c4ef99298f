/**
 * The second half of a seed: faults end, and within a bound every VM must be as its record wants it.
 *
 * An operator mends what nobody but an operator may: hung VMMs that no rule lets the agent end, duplicates, guests that somebody
 * paused. The rest is the agent's own work.
 * @module
 */

import type { ReliabilityEvent, VmPhase } from "../../src/domain/event.ts";
import type { Drain } from "./drain.ts";
import { isLiving, type SimProcess } from "./sim_process.ts";
import type { RecordSpec } from "./sim_record.ts";
import type { SimVm } from "./sim_vm.ts";
import type { World } from "./world.ts";

const STEP_MS = 5_000;
/** Room for what the policy's numbers do not say: boots, a slow host, an open launch intent. */
const MARGIN_MS = 120_000;

/** The longest that any rule lets a VM wait once nothing is wrong any more. */
export function livenessBoundMs(world: World): number {
  const { recovery, health, reconcileIntervalMs } = world.policy;
  const waitMs = Math.max(recovery.rearmIntervalMs, recovery.maxRetryIntervalMs) * (1 + recovery.jitter);
  // Re-arms have half the slots, and a slot may be taken until the start's deadline.
  const turnsMax = Math.ceil(world.host.vms.size / Math.max(1, Math.floor(recovery.maxConcurrentRecoveries / 2)));
  const startsMs = turnsMax * recovery.startTimeoutMs;
  const noticeMs = recovery.detectionIntervalMs + reconcileIntervalMs + recovery.brake.holdMs;
  const probesMs = health.recoveryThreshold * health.intervalMs + health.startGraceMs;
  return waitMs * 2 + startsMs + noticeMs + probesMs + recovery.shutdownTimeoutMs + MARGIN_MS;
}

export async function runLiveness(
  world: World,
  intended: ReadonlyMap<string, RecordSpec>,
  drain: Drain,
): Promise<void> {
  const { clock } = world;
  await endFaults(world, drain);
  mend(world, intended);
  world.control({ kind: "inspect" });
  const deadlineAt = clock.now + livenessBoundMs(world);
  let unmet: string[] = ["not looked at yet"];
  while (unmet.length > 0 && clock.now < deadlineAt && world.violation === undefined) {
    await world.runUntil(clock.now + STEP_MS, drain);
    unmet = await whatIsUnmet(world, drain);
  }
  if (unmet.length > 0 && world.violation === undefined) {
    world.blame("once faults end, everything converges", unmet[0]?.split(":")[0] ?? "-", unmet.join("; "));
  }
}

/** Lets a shutdown or a restart that is under way come to its end, and stops what would go on by itself. */
async function endFaults(world: World, drain: Drain): Promise<void> {
  const { host } = world;
  world.clearTripwires();
  world.areFaultsOver = true;
  world.agent?.thaw();
  if (world.agent !== undefined) world.agent.killAtCall = undefined;
  await world.runUntil(world.clock.now + 90_000, drain);
  host.exitNotices = "prompt";
  host.changeNotices = "prompt";
  host.blindUntil = 0;
  host.store.setRuntimeWritable(true, world.clock.now);
  host.store.isDurableWritable = true;
  host.intent.setUnreadable(false, world.clock.now);
  host.intent.removeAll(undefined, world.clock.now);
  if (world.agent !== undefined) {
    world.agent.thaw();
    world.agent.killAtCall = undefined;
  }
}

/** What an operator would do after such a day. */
function mend(world: World, intended: ReadonlyMap<string, RecordSpec>): void {
  const { host } = world;
  host.registry.setMode("ok", world.clock.now);
  for (const process of [...host.processes.living()]) {
    if (process.role === "stranger") {
      host.unstick(process);
      host.die(process, { code: 0, signal: undefined });
    } else {
      mendProcess(world, process);
    }
  }
  for (const vm of host.vms.values()) {
    vm.isTcpDown = false;
    vm.slowBootMs = undefined;
    vm.launchesToRefuse = 0;
    vm.earlyExits = 0;
    vm.lateLaunch = undefined;
    vm.hooksFail = false;
    vm.isDiskUnavailable = false;
    const spec = intended.get(vm.id);
    if (spec !== undefined) mendRecord(world, vm, spec);
    endTrespassers(world, vm);
    for (const surplus of host.livingVmms(vm.id).slice(1)) host.die(surplus, { code: 0, signal: undefined });
  }
  for (const vm of host.vms.values()) mendVm(world, vm);
}

function mendProcess(world: World, process: SimProcess): void {
  const { host } = world;
  if (process.state === "Z" || process.state === "D" || process.state === "T") host.unstick(process);
  const { instance } = process;
  if (instance === undefined || !isLiving(process)) return;
  instance.apiMode = "ok";
  if (instance.guest === "paused" || instance.guest === "io_error" || instance.guest === "busy")
    instance.guest = "running";
  // Nobody launched it but another, or it went elsewhere: the agent may not end it.
  const isEmpty = instance.guest !== "running" && world.clock.now >= instance.apiUpAt;
  if (isEmpty && (process.startedBy === "foreign" || instance.guest === "migrated")) {
    host.die(process, { code: 0, signal: undefined });
  }
}

/** A VMM that was started on another VM's disk keeps it until somebody ends it. */
function endTrespassers(world: World, vm: SimVm): void {
  for (const process of [...world.host.processes.living()]) {
    if (process.vm === vm.id) continue;
    const isTrespasser = [...process.openDisks.keys()].some((path) => path.startsWith(vm.diskPath));
    if (isTrespasser) world.host.die(process, { code: 0, signal: undefined });
  }
}

function mendRecord(world: World, vm: SimVm, spec: RecordSpec): void {
  const { registry } = world.host;
  const current = registry.specOf(vm.id) ?? spec;
  const isAsIntended = registry.fileKind(vm.id) === "record" && current.desired === spec.desired;
  const hasOwnDisk = current.disks.every((disk) => disk.path.startsWith(vm.diskPath));
  if (isAsIntended && hasOwnDisk && !vm.hasMigrated) return;
  registry.write(
    { ...current, desired: spec.desired, disks: spec.disks, revision: current.revision + 1 },
    world.clock.now,
  );
}

/** Starts by hand what has no launch, gives back a lost socket, stops what the agent may only ask. */
function mendVm(world: World, vm: SimVm): void {
  const { host } = world;
  const record = host.registry.lastRecord(vm.id);
  const running = host.livingVmms(vm.id)[0];
  if (record === undefined) return;
  if (running !== undefined && vm.socket !== undefined && host.serverOf(vm.socket) !== running) {
    // A VMM that still starts opens its own; one that has lost it for good is ended by hand.
    const { instance } = running;
    if (instance !== undefined && world.clock.now >= instance.apiUpAt) host.sockets.set(vm.socket, { server: running });
  }
  if (record.launch === undefined) {
    if (record.desired === "running" && running === undefined) {
      if (vm.socket !== undefined) host.sockets.delete(vm.socket);
      host.startVm(vm, record, { startedBy: "foreign", incarnation: undefined });
    }
    if (record.desired === "stopped" && running !== undefined) host.die(running, { code: 0, signal: undefined });
  }
}

/** What differs from what the records want, on the host and in the agent's own words; a line each. */
async function whatIsUnmet(world: World, drain: Drain): Promise<string[]> {
  const { host } = world;
  const unmet: string[] = [];
  if (world.agent === undefined || !world.agent.holdsLock) return ["-: no agent runs"];
  const wanted: { readonly id: string; readonly isRunning: boolean }[] = [];
  for (const vm of host.vms.values()) {
    const record = host.registry.inForce(vm.id);
    if (record === undefined) continue;
    const vmms = host.livingVmms(vm.id);
    // What is wanted again after its last mend, and has no launch, waits for a person.
    const isStartable = record.launch !== undefined || vmms.length > 0;
    const isRunning = record.desired === "running" && isStartable;
    wanted.push({ id: vm.id, isRunning });
    const first = vmms[0];
    if (isRunning && (vmms.length !== 1 || first === undefined || !host.isGuestUp(first))) {
      unmet.push(`${vm.id}: desired running, ${vmms.length} VMMs, guest ${first?.instance?.guest ?? "none"}`);
    } else if (!isRunning && vmms.length > 0 && !world.isReportedBlocked(vm.id)) {
      unmet.push(`${vm.id}: desired stopped, still runs`);
    }
  }
  if (unmet.length > 0) return unmet;
  const phases = new Map<string, VmPhase>();
  world.onReport = (event: ReliabilityEvent) => {
    if (event.type === "vm_state") phases.set(event.vmId, event.phase);
  };
  world.control({ kind: "inspect" });
  await world.runUntil(world.clock.now + STEP_MS, drain);
  world.onReport = () => {};
  for (const { id, isRunning } of wanted) {
    const phase = phases.get(id);
    const isRight = isRunning ? phase === "healthy" : phase === "stopped" || phase === "blocked";
    if (!isRight) unmet.push(`${id}: the agent says ${phase ?? "nothing"}`);
  }
  return unmet;
}
