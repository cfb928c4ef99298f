/**
 * What goes wrong with a VMM, its guest, its socket and its processes.
 * @module
 */

import type { VmmKind } from "../../../src/domain/vm_record.ts";
import { AGENT_UID, STRANGER_UID } from "../ownership.ts";
import { isLiving, type ProcessSpec } from "../sim_process.ts";
import { programOf } from "../sim_record.ts";
import type { SimVm } from "../sim_vm.ts";
import { type ApiMode, guestFaultsOf } from "../sim_vmm.ts";
import type { World } from "../world.ts";
import { atSomeStep, drawDurationMs, type Fault, forAWhile, vmmOf } from "./fault.ts";

const crash: Fault = (world, vm) => {
  atSomeStep(world, vm, () => kill(world, vm));
};

function kill(world: World, vm: SimVm): void {
  const process = vmmOf(world, vm);
  if (process === undefined) return;
  world.host.die(
    process,
    world.random.chance(0.5) ? { code: undefined, signal: "SIGSEGV" } : { code: 1, signal: undefined },
  );
}

/** Every VMM of the host at once. */
const massCrash: Fault = (world) => {
  for (const vm of world.host.vms.values()) if (world.random.chance(0.8)) kill(world, vm);
};

const hang: Fault = (world, vm) => {
  setApi(world, vm, "hung");
  if (world.random.chance(0.5)) tcpDown(world, vm);
};

const lyingApi: Fault = (world, vm) => {
  setApi(world, vm, world.random.pick(LIES[vm.kind]));
};

/** A VMM can lie only in what it tells: QEMU names neither its VM nor itself. */
const LIES: Readonly<Record<VmmKind, readonly ApiMode[]>> = {
  firecracker: ["wrong", "other_id"],
  "cloud-hypervisor": ["wrong", "other_pid"],
  qemu: ["wrong"],
  process: ["wrong"],
};

const socketRefuses: Fault = (world, vm) => setApi(world, vm, "refusing");

function setApi(world: World, vm: SimVm, mode: ApiMode): void {
  const process = vmmOf(world, vm);
  const instance = process?.instance;
  if (process === undefined || instance === undefined) return;
  instance.apiMode = mode;
  forAWhile(world, () => {
    if (isLiving(process) && instance.apiMode === mode) instance.apiMode = "ok";
  });
}

const stopped: Fault = (world, vm) => {
  const process = vmmOf(world, vm);
  if (process === undefined || process.state !== "S") return;
  process.state = "T";
  forAWhile(world, () => {
    if (process.state === "T") process.state = "S";
  });
};

const slowStart: Fault = (world, vm) => {
  vm.slowBootMs = world.random.betweenMs(5_000, 240_000);
  forAWhile(world, () => {
    vm.slowBootMs = undefined;
  });
};

const slowCrash: Fault = (world, vm) => {
  slowStart(world, vm);
  crash(world, vm);
};

const earlyExit: Fault = (world, vm) => {
  vm.earlyExits = 1 + world.random.int(5);
  kill(world, vm);
};

const spawnFails: Fault = (world, vm) => {
  vm.launchesToRefuse = 1 + world.random.int(5);
  kill(world, vm);
};

const lateLaunch: Fault = (world, vm) => {
  vm.lateLaunch = { landsAfterMs: world.random.chance(0.7) ? world.random.betweenMs(0, 60_000) : undefined };
  kill(world, vm);
};

const hookFails: Fault = (world, vm) => {
  vm.hooksFail = true;
  forAWhile(world, () => {
    vm.hooksFail = false;
  });
  kill(world, vm);
};

const pidReuse: Fault = (world, vm) => {
  const process = vmmOf(world, vm);
  if (process === undefined) return;
  world.host.die(process, { code: undefined, signal: "SIGKILL" });
  world.host.processes.reap(process);
  const { exe, uid } = process;
  spawnStranger(world, { exe, uid, argv: [`/usr/bin/${exe}`, "--id", "stranger"], pid: process.identity.pid });
};

interface StrangerDraw extends Partial<ProcessSpec> {
  readonly exe: string;
  readonly argv: readonly string[];
}

function spawnStranger(world: World, draw: StrangerDraw) {
  const stranger = world.host.spawn({
    role: "stranger",
    vm: undefined,
    startedBy: "foreign",
    uid: STRANGER_UID,
    vmId: undefined,
    launchHash: undefined,
    incarnation: undefined,
    unit: undefined,
    parentPid: 1,
    ...draw,
  });
  world.clock.after(drawDurationMs(world), () => world.host.die(stranger, { code: 0, signal: undefined }));
  return stranger;
}

/** The leader has exited, threads of it live on and hold its disks. */
const zombieLeader: Fault = (world, vm) => {
  const process = vmmOf(world, vm);
  if (process === undefined || process.state !== "S") return;
  process.state = "Z";
  process.liveTasks = 2;
  world.log.write("zombie leader", vm.id, String(process.identity.pid));
  forAWhile(world, () => world.host.unstick(process));
};

const uninterruptible: Fault = (world, vm) => {
  const process = vmmOf(world, vm);
  if (process === undefined || process.state !== "S") return;
  process.state = "D";
  forAWhile(world, () => {
    if (process.state === "D") world.host.unstick(process);
  });
};

const socketGone: Fault = (world, vm) => {
  const { socket } = vm;
  if (socket === undefined) return;
  const server = world.host.serverOf(socket);
  if (server === undefined) return;
  world.host.sockets.delete(socket);
  forAWhile(world, () => {
    if (isLiving(server) && !world.host.sockets.has(socket)) world.host.sockets.set(socket, { server });
  });
};

/** Somebody else's program takes the path, with or without the VMM's death. */
const socketAnothers: Fault = (world, vm) => {
  const { socket } = vm;
  if (socket === undefined) return;
  if (world.random.chance(0.7)) kill(world, vm);
  const stranger = spawnStranger(world, { exe: "socat", argv: ["/usr/bin/socat", "-"] });
  world.host.sockets.set(socket, { server: stranger });
};

const lookalike: Fault = (world, vm) => {
  const { random } = world;
  const socketArguments = vm.socket === undefined ? [] : ["--api-sock", vm.socket];
  const isMarked = vm.socket === undefined || random.chance(0.5);
  const exe = programOf(vm.kind);
  spawnStranger(world, { exe, argv: [`/usr/bin/${exe}`, ...socketArguments], vmId: isMarked ? vm.id : undefined });
  if (random.chance(0.5)) kill(world, vm);
};

const guestFault: Fault = (world, vm) => {
  const process = vmmOf(world, vm);
  const instance = process?.instance;
  if (process === undefined || instance === undefined || vm.kind === "process" || instance.guest !== "running") return;
  const guest = world.random.pick(guestFaultsOf(vm.kind));
  instance.guest = guest;
  if (guest === "migrated") vm.hasMigrated = true;
  world.log.write("guest", vm.id, guest);
  if (guest !== "paused" && guest !== "io_error" && guest !== "busy") return;
  forAWhile(world, () => {
    if (isLiving(process) && instance.guest === guest) instance.guest = "running";
  });
};

const tcpDown: Fault = (world, vm) => {
  vm.isTcpDown = true;
  forAWhile(world, () => {
    vm.isTcpDown = false;
  });
};

/** The network of the whole host, as a firewall's new rule would do it. */
const networkDown: Fault = (world) => {
  const vms = [...world.host.vms.values()];
  for (const vm of vms) vm.isTcpDown = true;
  forAWhile(world, () => {
    for (const vm of vms) vm.isTcpDown = false;
  });
};

const diskHeld: Fault = (world, vm) => {
  const holder = spawnStranger(world, { exe: "qemu-img", uid: AGENT_UID, argv: ["/usr/bin/qemu-img", "convert"] });
  holder.openDisks.set(vm.diskPath, world.clock.now);
  if (world.random.chance(0.7)) kill(world, vm);
};

const diskUnavailable: Fault = (world, vm) => {
  vm.isDiskUnavailable = true;
  forAWhile(world, () => {
    vm.isDiskUnavailable = false;
  });
  kill(world, vm);
};

/** An orchestrator starts the VM itself; it knows better than to do so while the agent does. */
const foreignStart: Fault = (world, vm) => {
  const { host } = world;
  if (host.isShuttingDown || host.jobs.has(vm.id) || vmmOf(world, vm) !== undefined) return;
  if (host.store.stateOf(vm.id)?.launchIntent !== undefined || world.isStartInFlight(vm.id)) return;
  const record = host.registry.lastRecord(vm.id);
  if (record === undefined) return;
  if (vm.socket !== undefined && host.serverOf(vm.socket) === undefined) host.sockets.delete(vm.socket);
  host.startVm(vm, record, { startedBy: "foreign", incarnation: undefined });
};

/** And once, by mistake, beside one that runs. */
const foreignDuplicate: Fault = (world, vm) => {
  const { host } = world;
  const running = vmmOf(world, vm);
  const record = host.registry.lastRecord(vm.id);
  if (running === undefined || record === undefined || vm.kind !== "qemu" || world.isStartInFlight(vm.id)) return;
  const second = host.startVm(vm, record, { startedBy: "foreign", incarnation: undefined });
  forAWhile(world, () => host.die(second, { code: 0, signal: undefined }));
};

export const VM_FAULTS = {
  crash,
  "mass crash": massCrash,
  hang,
  "lying api": lyingApi,
  "socket refuses": socketRefuses,
  "vmm stopped": stopped,
  "slow start": slowCrash,
  "early exit": earlyExit,
  "spawn fails": spawnFails,
  "late launch": lateLaunch,
  "hook fails": hookFails,
  "pid reuse": pidReuse,
  "zombie leader": zombieLeader,
  "d state": uninterruptible,
  "socket gone": socketGone,
  "socket another's": socketAnothers,
  "look-alike": lookalike,
  "guest fault": guestFault,
  "tcp down": tcpDown,
  "network down": networkDown,
  "disk held": diskHeld,
  "disk unavailable": diskUnavailable,
  "foreign start": foreignStart,
  "foreign duplicate": foreignDuplicate,
} as const satisfies Record<string, Fault>;
