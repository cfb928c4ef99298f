/**
 * The simulated host: what is true of it, and how its processes live and die.
 *
 * Here stands only what the kernel, the VMMs and the guests do by themselves. What goes wrong is decided in `faults/`, what
 * an agent may do to it passes through `agent_facade.ts`, and whether it was right is judged in `checkers/`.
 * @module
 */

import type { ProcessIdentity } from "../../src/domain/process.ts";
import type { VmRecord } from "../../src/domain/vm_record.ts";
import type { ExitStatus } from "../../src/ports/launcher.ts";
import type { EventLog } from "./event_log.ts";
import { STRANGER_UID, uidOf } from "./ownership.ts";
import { SimIntent } from "./sim_intent.ts";
import { isLiving, type ProcessSpec, type SimProcess, SimProcesses } from "./sim_process.ts";
import type { SimRandom } from "./sim_random.ts";
import { programOf } from "./sim_record.ts";
import { SimRegistry } from "./sim_registry.ts";
import { SimStore } from "./sim_store.ts";
import type { SimVm } from "./sim_vm.ts";
import type { VirtualClock } from "./virtual_clock.ts";

export interface SimSocket {
  /** A left-over file when it is dead. */
  readonly server: SimProcess;
}

/** A launch that the launcher has taken and that has not come to anything yet. */
export interface LaunchJob {
  readonly vmId: string;
  readonly takenAt: number;
}

/** How notices of any kind reach an agent. */
export type NoticeMode = "prompt" | "late" | "lost" | "doubled";

export interface StartOptions {
  readonly startedBy: "agent" | "foreign";
  readonly incarnation: number | undefined;
}

const ZOMBIE_MS_MAX = 1_500;

export class SimHost {
  readonly clock: VirtualClock;
  readonly random: SimRandom;
  readonly log: EventLog;
  readonly registry = new SimRegistry();
  readonly intent = new SimIntent();
  readonly store = new SimStore();
  readonly processes: SimProcesses;
  readonly vms = new Map<string, SimVm>();
  readonly sockets = new Map<string, SimSocket>();
  readonly jobs = new Map<string, LaunchJob>();
  readonly exits = new Map<string, ExitStatus>();
  readonly launcherKind: "direct" | "systemd";
  isShuttingDown = false;
  shutdownBeganAt = 0;
  wallOffsetMs = 1_800_000_000_000;
  /** Until when questions cannot be asked (EMFILE, ENOMEM). */
  blindUntil = 0;
  exitNotices: NoticeMode = "prompt";
  changeNotices: NoticeMode = "prompt";
  #boots = 1;
  #lastTicks = 0;
  onExit: (process: SimProcess) => void = () => {};
  onSpawn: (process: SimProcess) => void = () => {};

  constructor(clock: VirtualClock, random: SimRandom, log: EventLog, launcherKind: "direct" | "systemd") {
    this.clock = clock;
    this.random = random;
    this.log = log;
    this.launcherKind = launcherKind;
    this.processes = new SimProcesses("boot-1", 0);
  }

  get now(): number {
    return this.clock.now;
  }

  /** What the agent's monotonic clock shows at an instant of the world. */
  monotonicAt(instant: number): number {
    return instant - this.processes.bootedAt;
  }

  get wallNow(): number {
    return this.now + this.wallOffsetMs;
  }

  isBlind(): boolean {
    return this.now < this.blindUntil;
  }

  spawn(spec: ProcessSpec): SimProcess {
    this.#lastTicks = Math.max(this.#lastTicks + 1, Math.floor(this.monotonicAt(this.now) / 10));
    const process = this.processes.spawn(spec, this.now, this.#lastTicks);
    this.log.write("spawn", spec.vm ?? "-", `${spec.exe} ${process.identity.pid}/${this.#lastTicks} ${spec.startedBy}`);
    this.onSpawn(process);
    return process;
  }

  /** Starts a VM's program as its record says; through its wrapper, where it has one. */
  startVm(vm: SimVm, record: VmRecord, options: StartOptions): SimProcess {
    if (!vm.hasWrapper) return this.#startVmm(vm, record, options, 1);
    const spec = this.#specOf(vm, record, options, "wrapper", "jail-wrap");
    const wrapper = this.spawn({ ...spec, argv: ["/usr/bin/jail-wrap", ...spec.argv] });
    this.clock.after(this.random.betweenMs(1, 300), () => {
      if (!isLiving(wrapper)) return;
      wrapper.hasStartedVmm = true;
      this.#startVmm(vm, record, options, wrapper.identity.pid);
    });
    return wrapper;
  }

  /** Delivers a signal as the kernel would: a process in D gets it later, a program may ignore SIGTERM. */
  signal(process: SimProcess, signal: "SIGTERM" | "SIGKILL"): void {
    if (!isLiving(process)) return;
    const isStuck = process.state === "D" || process.state === "Z";
    if (signal === "SIGKILL") {
      if (isStuck) process.isKillPending = true;
      else this.die(process, { code: undefined, signal });
      return;
    }
    if (isStuck || process.state === "T" || process.instance?.ignoresTerm === true) return;
    this.clock.after(this.random.betweenMs(1, 800), () => this.die(process, { code: 0, signal: undefined }));
  }

  /** Ends a process. It stays as a zombie for a while, since PID 1 reaps slowly. */
  die(process: SimProcess, status: ExitStatus): void {
    if (process.diedAt !== undefined) return;
    process.diedAt = this.now;
    process.state = "Z";
    process.liveTasks = 0;
    process.openDisks.clear();
    this.exits.set(process.key, status);
    this.log.write("exit", process.vm ?? "-", `${process.exe} ${process.identity.pid} ${status.code ?? status.signal}`);
    for (const other of this.processes.living()) {
      if (other.parentPid !== process.identity.pid) continue;
      other.parentPid = 1;
      if (other.role === "helper" && this.random.chance(0.7)) this.#endSoon(other);
    }
    if (process.unit !== undefined && process.sessionId === process.identity.pid) this.#endUnit(process);
    if (process.role === "vmm") {
      for (const other of this.processes.living()) {
        if (other.role === "wrapper" && process.parentPid === other.identity.pid) this.#endSoon(other);
      }
    }
    this.clock.after(this.random.chance(0.3) ? this.random.betweenMs(0, ZOMBIE_MS_MAX) : 0, () =>
      this.processes.reap(process),
    );
    this.onExit(process);
  }

  /** Lets a stuck process run on; a SIGKILL that waited for that takes effect. */
  unstick(process: SimProcess): void {
    if (process.diedAt !== undefined) return;
    if (process.state === "Z" || process.isKillPending) this.die(process, { code: undefined, signal: "SIGKILL" });
    else process.state = "S";
  }

  serverOf(path: string): SimProcess | undefined {
    const server = this.sockets.get(path)?.server;
    return server !== undefined && isLiving(server) ? server : undefined;
  }

  /** The VMM processes of a VM that live, whoever started them. */
  livingVmms(vmId: string): SimProcess[] {
    const found: SimProcess[] = [];
    for (const process of this.processes.living()) {
      if (process.vm === vmId && process.role === "vmm") found.push(process);
    }
    return found;
  }

  isAlive(identity: ProcessIdentity): boolean {
    const process = this.processes.get(identity);
    return process !== undefined && isLiving(process);
  }

  /** Whether the guest of a process works: booted, running, and in a VMM that runs. */
  isGuestUp(process: SimProcess): boolean {
    const instance = process.instance;
    if (instance === undefined || process.state !== "S") return false;
    return instance.guest === "running" && instance.apiMode !== "hung" && this.now >= instance.guestUpAt;
  }

  jumpWallClock(byMs: number): void {
    this.wallOffsetMs += byMs;
    this.intent.clockJumped();
  }

  /** Ends everything and begins the next boot. */
  reboot(): void {
    for (const process of [...this.processes.rows()]) {
      if (process.diedAt === undefined) {
        process.diedAt = this.now;
        process.liveTasks = 0;
        process.state = "Z";
        process.openDisks.clear();
      }
    }
    this.processes.clear();
    this.#boots++;
    this.#lastTicks = 0;
    this.processes.bootId = `boot-${this.#boots}`;
    this.processes.bootedAt = this.now;
    this.sockets.clear();
    this.jobs.clear();
    this.exits.clear();
    this.store.wipeRuntime(this.now);
    this.intent.removeAll("state", this.now);
    this.isShuttingDown = false;
  }

  #specOf(vm: SimVm, record: VmRecord, options: StartOptions, role: "vmm" | "wrapper" | "helper", exe: string) {
    const launch = record.launch;
    const user = launch?.kind === "argv" ? launch.user : undefined;
    const isAgents = options.startedBy === "agent";
    const socketArguments = record.socket === undefined ? [] : ["--api-sock", record.socket];
    return {
      role,
      vm: vm.id,
      startedBy: options.startedBy,
      uid: role === "wrapper" || user === undefined ? 0 : (uidOf(user) ?? STRANGER_UID),
      exe,
      argv:
        launch?.kind === "argv" ? launch.argv : [`/usr/bin/${programOf(vm.kind)}`, "--id", vm.id, ...socketArguments],
      vmId: isAgents || vm.kind === "process" ? vm.id : undefined,
      launchHash: isAgents ? record.launchHash : undefined,
      incarnation: isAgents ? options.incarnation : undefined,
      unit: isAgents && this.launcherKind === "systemd" ? `metald-vm-${vm.id}.service` : undefined,
      parentPid: 1,
    };
  }

  #startVmm(vm: SimVm, record: VmRecord, options: StartOptions, parentPid: number): SimProcess {
    const random = this.random;
    const process = this.spawn({ ...this.#specOf(vm, record, options, "vmm", programOf(vm.kind)), parentPid });
    const apiUpAt =
      this.now + (vm.slowBootMs !== undefined && random.chance(0.5) ? vm.slowBootMs : random.betweenMs(2, 200));
    const isProcess = vm.kind === "process";
    process.instance = {
      socket: record.socket,
      apiMode: "ok",
      guest: vm.kind === "cloud-hypervisor" ? "not_started" : "running",
      apiUpAt,
      guestUpAt: isProcess ? this.now : apiUpAt + (vm.slowBootMs ?? random.betweenMs(100, 4_000)),
      ignoresShutdown: random.chance(0.2),
      shutdownMs: random.chance(0.2) ? random.betweenMs(60_000, 150_000) : random.betweenMs(200, 20_000),
      ignoresTerm: isProcess && random.chance(0.2),
    };
    for (const disk of record.disks) process.openDisks.set(disk.path, this.now);
    if (vm.earlyExits > 0) {
      vm.earlyExits--;
      this.clock.after(random.betweenMs(0, 2_000), () => this.die(process, { code: 1, signal: undefined }));
    }
    this.clock.at(apiUpAt, () => this.#openSocket(vm, process));
    if (vm.hasHelper) {
      this.clock.after(random.betweenMs(0, 50), () => {
        if (!isLiving(process)) return;
        const spec = this.#specOf(vm, record, options, "helper", "virtiofsd");
        this.spawn({ ...spec, argv: ["/usr/bin/virtiofsd"], parentPid: process.identity.pid });
      });
    }
    return process;
  }

  /** Firecracker and Cloud Hypervisor refuse to start on a file that a dead one left behind; QEMU replaces it. */
  #openSocket(vm: SimVm, process: SimProcess): void {
    const instance = process.instance;
    if (!isLiving(process) || instance === undefined) return;
    if (instance.guest === "not_started") instance.guest = "running";
    if (instance.socket === undefined) return;
    if (this.sockets.has(instance.socket) && vm.kind !== "qemu") {
      this.die(process, { code: 1, signal: undefined });
      return;
    }
    this.sockets.set(instance.socket, { server: process });
  }

  /** A service whose main process has ended is stopped: systemd ends the rest of its control group. */
  #endUnit(main: SimProcess): void {
    for (const other of this.processes.living()) {
      if (other === main || other.unit !== main.unit || other.sessionId !== main.sessionId) continue;
      this.clock.after(this.random.betweenMs(0, 2_000), () => this.signal(other, "SIGKILL"));
    }
  }

  #endSoon(process: SimProcess): void {
    this.clock.after(this.random.betweenMs(0, 500), () => this.die(process, { code: 0, signal: undefined }));
  }
}
