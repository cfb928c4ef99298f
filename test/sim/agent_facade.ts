/**
 * The ports of the simulated host, as one life of the agent holds them.
 *
 * Each call takes effect at a drawn instant between call and return. What the agent is told is noted in its knowledge, what
 * it does is shown to the checkers.
 * @module
 */

import { type MonotonicMs, monotonicMs, wallMs } from "../../src/domain/time.ts";
import type { DiskExamination, DiskHolder } from "../../src/ports/disk_holders.ts";
import type { GuestProbeResult } from "../../src/ports/guest_probe.ts";
import type { HookOutcome } from "../../src/ports/hooks.ts";
import type { LockOutcome } from "../../src/ports/instance_lock.ts";
import type { LauncherState, LaunchOutcome, LaunchRequest } from "../../src/ports/launcher.ts";
import type { Inspection, ProcessScan, SignalOutcome } from "../../src/ports/process_table.ts";
import type { ShutdownRequest, SocketState, VmmAnswer, VmmTarget } from "../../src/ports/vmm.ts";
import type { Dependencies } from "../../src/reliability/dependencies.ts";
import type { VmKnowledge } from "./agent_knowledge.ts";
import type { AgentLife } from "./agent_life.ts";
import { AGENT_UID, uidOf } from "./ownership.ts";
import { factsOf, isLiving, type SimProcess } from "./sim_process.ts";
import type { SimVm } from "./sim_vm.ts";
import { rawWord } from "./sim_vmm.ts";
import type { Act } from "./watch.ts";
import type { World } from "./world.ts";

const BLIND = { kind: "unknown", error: "EMFILE: too many open files" } as const;
const DONE: HookOutcome = { kind: "done" };
const TCP_SUCCESS: GuestProbeResult = { kind: "success" };
const TCP_FAILURE: GuestProbeResult = { kind: "failure", error: "connection timed out" };
const MUTE: VmmAnswer = { kind: "silent", error: "no answer before the deadline" };
const EFFECT_AFTER_DEATH_MS_MAX = 1_500;
const JOB_AFTER_DEATH_MS_MAX = 60_000;

export function facadeOf(world: World, life: AgentLife): Dependencies {
  const { host } = world;
  const { clock, random } = host;
  const { knowledge } = life;
  const actNow = (): Act => ({ life, known: knowledge.copy() });

  return {
    version: "sim",
    uid: AGENT_UID,
    uidOf,
    clock: {
      monotonic: () => monotonicMs(host.monotonicAt(clock.now)),
      wall: () => wallMs(host.wallNow),
      schedule: (at: MonotonicMs, callback) => {
        // Never early, not even by what a sum of doubles loses: whoever waits for an instant would wait again for nothing.
        const instant = Math.ceil((at + host.processes.bootedAt) * 16) / 16;
        const event = clock.at(instant, () => life.deliver(() => callIfWanted()));
        let isWanted = true;
        const callIfWanted = (): void => {
          if (isWanted) callback();
        };
        return () => {
          isWanted = false;
          event.run = undefined;
        };
      },
    },
    random: life.random.fork(),
    registry: {
      path: host.registry.path,
      list: () =>
        life.call({
          effect: () => host.registry.list(),
          delivered: (_reading, beganAt) => {
            knowledge.listBeganAt = beganAt;
            knowledge.listEndedAt = clock.now;
          },
        }),
      read: (id) =>
        life.call({
          effect: () => {
            const reading = host.registry.read(id);
            world.trip("record_read", id);
            return reading;
          },
          delivered: (_reading, beganAt) => {
            const vm = knowledge.of(id);
            vm.recordReadBeganAt = beganAt;
            vm.recordReadEndedAt = clock.now;
          },
        }),
      watch: (onHint) => world.subscribe(life, world.recordHints, onHint),
    },
    intent: {
      list: () =>
        life.call({
          effect: () => host.intent.list(),
          delivered: (_reading, beganAt) => {
            knowledge.intentListBeganAt = beganAt;
            knowledge.intentListEndedAt = clock.now;
          },
        }),
      read: (id) =>
        life.call({
          effect: () => {
            const reading = host.intent.read(id);
            world.trip("intent_read", id);
            return reading;
          },
          delivered: (_reading, beganAt) => {
            const vm = knowledge.of(id);
            vm.intentReadBeganAt = beganAt;
            vm.intentReadEndedAt = clock.now;
          },
        }),
      watch: (onHint) => world.subscribe(life, world.intentHints, onHint),
    },
    processTable: {
      bootId: host.processes.bootId,
      scan: () => {
        let seen: readonly SimProcess[] = [];
        return life.call({
          effect: (): ProcessScan => {
            if (host.isBlind()) return BLIND;
            seen = [...host.processes.living()];
            const processes = seen.map((process) => factsOf(process, clock.now));
            return { kind: "scanned", startedAt: monotonicMs(host.monotonicAt(clock.now)), processes };
          },
          delivered: (scan, beganAt) => {
            if (scan.kind !== "scanned") return;
            knowledge.scanBeganAt = beganAt;
            for (const process of seen) {
              if (process.role === "vmm" && process.vm !== undefined) knowledge.of(process.vm).aliveKey = process.key;
            }
          },
        });
      },
      describe: (identity) =>
        life.call({
          effect: () => {
            const process = host.isBlind() ? undefined : host.processes.get(identity);
            return process !== undefined && isLiving(process) ? factsOf(process, clock.now) : undefined;
          },
        }),
      inspect: (identity) => {
        let process: SimProcess | undefined;
        return life.call({
          effect: (): Inspection => {
            if (host.isBlind()) return BLIND;
            process = host.processes.get(identity);
            if (process === undefined || !isLiving(process)) return { kind: "dead" };
            if (process.state === "Z") return { kind: "zombie_leader", liveTasks: process.liveTasks };
            return { kind: "alive", state: process.state, cpuMs: 0 };
          },
          delivered: (inspection) => {
            if (inspection.kind !== "alive" || process?.vm === undefined) return;
            knowledge.of(process.vm).aliveKey = process.key;
          },
        });
      },
      signal: (identity, signal) => {
        const act = actNow();
        return life.call({
          effect: (): SignalOutcome => {
            const process = host.processes.get(identity);
            if (process === undefined || !isLiving(process)) return { kind: "gone" };
            host.log.write(signal, process.vm ?? "-", `${process.exe} ${process.identity.pid} by agent ${life.number}`);
            for (const checker of world.checkers) checker.onSignal?.(act, process, signal);
            if (signal === "SIGTERM") process.terminatedAt ??= clock.now;
            host.signal(process, signal);
            return { kind: "sent" };
          },
        });
      },
      sleepsIn: (identity) =>
        life.call({ effect: () => (host.processes.get(identity)?.state === "D" ? "io_schedule" : undefined) }),
    },
    processEvents: { watch: (identity, onExit) => world.watchExit(life, identity, onExit) },
    launcher: {
      kind: host.launcherKind,
      launch: (request) => launch(world, actNow(), request),
      inspect: ({ id }) =>
        life.call({
          effect: (): LauncherState => {
            if (host.isBlind()) return BLIND;
            if (host.jobs.has(id)) return { kind: "busy", detail: "job queued" };
            const unit = `metald-vm-${id}.service`;
            for (const process of host.processes.living()) {
              if (process.unit === unit) return { kind: "busy", detail: `${unit} is active` };
            }
            return { kind: "idle" };
          },
        }),
      stopUnit: (unit) => life.call({ effect: () => ({ kind: "failed", error: `no record names ${unit}` }) }),
      consoleOf: ({ id }) => `/run/metald/console/${id}.log`,
      exitOf: (_record, identity) =>
        life.call({
          effect: () => {
            const process = host.processes.past(identity);
            return process?.startedBy === "agent" ? host.exits.get(process.key) : undefined;
          },
        }),
    },
    vmm: {
      query: (target, timeoutMs) => {
        let server: SimProcess | undefined;
        let isForged = false;
        return life.call({
          effect: (): VmmAnswer => {
            server = host.serverOf(target.socket);
            isForged = server?.instance !== undefined && server.instance.apiMode !== "ok";
            return answerOf(world, target, server);
          },
          takesMs: (answer) => (answer === MUTE ? timeoutMs : 0),
          delivered: (answer, beganAt) => {
            const isJudged = server !== undefined && clock.now - server.startedAt >= world.startGraceMs(target.id);
            noteAnswer(knowledge.of(target.id), { answer, server, isForged, isJudged, beganAt });
            if (answer.kind === "state" && answer.guest === "migrated") {
              knowledge.of(target.id).migratedContent = host.registry.lastRecord(target.id)?.contentHash;
            }
          },
          late: { afterMs: timeoutMs, value: MUTE },
        });
      },
      shutdown: (target) => {
        const act = actNow();
        return life.call({
          effect: (): ShutdownRequest => {
            const server = host.serverOf(target.socket);
            host.log.write("shutdown request", target.id, `by agent ${life.number}`);
            for (const checker of world.checkers) checker.onShutdownRequest?.(act, target.id, server);
            return shutDownGuest(world, server);
          },
        });
      },
      socketState: (path, timeoutMs) =>
        life.call({
          effect: (): SocketState => {
            if (host.isBlind()) return "unknown";
            const socket = host.sockets.get(path);
            if (socket === undefined) return "missing";
            return isLiving(socket.server) && socket.server.instance?.apiMode !== "refusing" ? "accepts" : "refuses";
          },
          delivered: (state, beganAt) => {
            if (state === "unknown") return;
            for (const vm of host.vms.values()) {
              if (vm.socket === path) knowledge.of(vm.id).socketReadBeganAt = beganAt;
            }
          },
          takesMs: (state) => (state === "unknown" ? Math.min(timeoutMs, 10) : 0),
        }),
    },
    guestProbe: {
      tcp: (target, timeoutMs) => {
        const vm = world.vmByTcpHost(target.host);
        let upKey: string | undefined;
        return life.call({
          effect: (): GuestProbeResult => {
            if (host.isBlind()) return BLIND;
            upKey = vm === undefined || vm.isTcpDown ? undefined : upProcessOf(world, vm)?.key;
            return upKey === undefined ? TCP_FAILURE : TCP_SUCCESS;
          },
          takesMs: (result) => (result === TCP_FAILURE ? timeoutMs : 0),
          delivered: (result) => {
            if (vm === undefined || result.kind === "unknown") return;
            const known = knowledge.of(vm.id);
            known.lastTcp = result.kind === "success" ? "ok" : "failed";
            if (result.kind === "success") known.tcpWellKey = upKey;
            else known.mayProbeFail = true;
          },
          late: { afterMs: timeoutMs, value: TCP_FAILURE },
        });
      },
    },
    diskHolders: {
      examine: (disks, timeoutMs) =>
        life.call({
          effect: (): DiskExamination => {
            const holders: DiskHolder[] = [];
            for (const disk of disks) {
              if (world.isDiskUnavailable(disk.path)) {
                return { kind: "unavailable", path: disk.path, error: "ETIMEDOUT: connection timed out" };
              }
              if (disk.shared) continue;
              for (const process of host.processes.living()) {
                if (!process.openDisks.has(disk.path)) continue;
                holders.push({ path: disk.path, pid: process.identity.pid, exe: process.exe });
              }
            }
            const examined = disks.map(({ path, shared }) => ({ path, shared, keys: [path] }));
            return { kind: "examined", holders, disks: examined };
          },
          takesMs: (examination) => (examination.kind === "unavailable" ? timeoutMs : 0),
          delivered: (examination, beganAt) => {
            if (examination.kind !== "examined") return;
            for (const disk of disks) knowledge.diskReadBeganAt.set(disk.path, beganAt);
          },
        }),
    },
    hooks: {
      run: (request) => {
        const act = actNow();
        return life.call({
          effect: (): HookOutcome => {
            for (const checker of world.checkers) checker.onHook?.(act, request.vmId);
            const fails = host.vms.get(request.vmId)?.hooksFail === true;
            host.log.write("hook", request.vmId, `${request.hook} ${fails ? "fails" : "runs"}`);
            return fails ? { kind: "failed", error: "exit code 1" } : DONE;
          },
          takesMs: () => (random.chance(0.2) ? random.betweenMs(0, request.timeoutMs) : 0),
        });
      },
      removeLeftovers: (paths) => {
        const act = actNow();
        return life.call({
          effect: (): HookOutcome => {
            for (const path of paths) {
              if (!host.sockets.has(path)) continue;
              for (const checker of world.checkers) checker.onUnlink?.(act, path);
              host.sockets.delete(path);
            }
            return DONE;
          },
        });
      },
    },
    stateStore: {
      load: () => life.call({ effect: () => host.store.load(host.processes.bootId) }),
      saveVm: (id, state) =>
        life.call({
          effect: () => {
            const outcome = host.store.saveVm(id, state);
            if (outcome.kind === "saved") world.noteSaved(life, id, state);
            world.trip("state_saved", id);
            return outcome;
          },
        }),
      forgetVm: (id) => life.call({ effect: () => host.store.forgetVm(id) }),
      saveHost: (state) => life.call({ effect: () => host.store.saveHost(state) }),
      loadLastGood: () =>
        life.call({ effect: () => host.store.loadLastGood((source) => host.registry.recordFromSource(source)) }),
      saveLastGood: (id, source) => life.call({ effect: () => host.store.saveLastGood(id, source) }),
      forgetLastGood: (id) => life.call({ effect: () => host.store.forgetLastGood(id) }),
      loadStartedOnce: () => life.call({ effect: () => host.store.loadStartedOnce() }),
      saveStartedOnce: (id, hash) => life.call({ effect: () => host.store.saveStartedOnce(id, hash) }),
      forgetStartedOnce: (id) => life.call({ effect: () => host.store.forgetStartedOnce(id) }),
    },
    instanceLock: {
      acquire: () =>
        life.call({
          effect: (): LockOutcome => {
            if (!world.takeLock(life)) return { kind: "held_by_another", detail: "another agent" };
            return { kind: "acquired", release: () => world.releaseLock(life), isHeld: () => life.holdsLock };
          },
        }),
    },
    host: {
      isShuttingDown: () =>
        life.call({
          effect: () => host.isShuttingDown,
          delivered: (_is, beganAt) => {
            knowledge.hostReadBeganAt = beganAt;
          },
        }),
    },
    notify: { ready: () => {}, alive: () => {}, status: () => {}, stopping: () => {} },
    statusBoard: { publish: () => undefined },
    fleetObserver: { attach: () => () => undefined },
    control: { subscribe: (onRequest) => world.subscribeControl(life, onRequest) },
    report: (event) => world.report(life, event),
  };
}

/** The process behind a guest that answers on the network. */
function upProcessOf(world: World, vm: SimVm): SimProcess | undefined {
  for (const process of world.host.livingVmms(vm.id)) if (world.host.isGuestUp(process)) return process;
  return undefined;
}

function answerOf(world: World, target: VmmTarget, server: SimProcess | undefined): VmmAnswer {
  const { host } = world;
  if (host.isBlind()) return BLIND;
  if (!host.sockets.has(target.socket)) return { kind: "silent", error: "ENOENT: no such file" };
  if (server === undefined) return { kind: "silent", error: "ECONNREFUSED: connection refused" };
  const instance = server.instance;
  if (instance === undefined) return { kind: "wrong", error: "the answer is no JSON" };
  if (instance.apiMode === "refusing") return { kind: "silent", error: "ECONNREFUSED: connection refused" };
  if (instance.apiMode === "hung" || server.state !== "S") return MUTE;
  if (instance.apiMode === "wrong") return { kind: "wrong", error: "status 500" };
  const tellsId = target.vmm === "firecracker";
  const tellsPid = target.vmm === "cloud-hypervisor";
  return {
    kind: "state",
    guest: instance.guest,
    raw: rawWord(target.vmm, instance.guest),
    id: tellsId ? (instance.apiMode === "other_id" ? "somebody-else" : (server.vm ?? "unknown")) : undefined,
    pid: tellsPid ? server.identity.pid + (instance.apiMode === "other_pid" ? 1 : 0) : undefined,
  };
}

interface HeardAnswer {
  readonly answer: VmmAnswer;
  readonly server: SimProcess | undefined;
  /** It was given in another's name. */
  readonly isForged: boolean;
  /** The process is older than its grace. */
  readonly isJudged: boolean;
  readonly beganAt: number;
}

function noteAnswer(known: VmKnowledge, { answer, server, isForged, isJudged, beganAt }: HeardAnswer): void {
  switch (answer.kind) {
    case "unknown":
      return;
    case "silent":
    case "wrong":
      known.lastApi = answer.kind;
      known.mayProbeFail = true;
      return;
    case "state":
      break;
  }
  known.socketReadBeganAt = beganAt;
  known.lastApi = "ok";
  if (known.answeredBy !== server?.key) {
    known.answeredBy = server?.key;
    known.deadGuestAnswers = 0;
    known.shutDownAnswers = 0;
  }
  // An answer in another's name is a failure; so is that of a process which the agent does not take for the main.
  if (isForged || server?.key !== known.aliveKey) known.mayProbeFail = true;
  switch (answer.guest) {
    case "running":
      known.deadGuestAnswers = 0;
      known.shutDownAnswers = 0;
      if (!isForged) known.apiWellKey = server?.key;
      return;
    case "not_started":
    case "panicked":
    case "internal_error":
      known.mayProbeFail = true;
      if (isJudged) known.deadGuestAnswers++;
      return;
    case "shut_down":
      known.mayProbeFail = true;
      known.shutDownAnswers++;
      return;
    default:
      return;
  }
}

function shutDownGuest(world: World, server: SimProcess | undefined): ShutdownRequest {
  const instance = server?.instance;
  if (server === undefined || instance === undefined || instance.apiMode !== "ok" || server.state !== "S") {
    return { kind: "not_asked", error: "no answer" };
  }
  server.askedAt ??= world.host.now;
  if (!instance.ignoresShutdown) {
    world.host.clock.after(instance.shutdownMs, () => world.host.die(server, { code: 0, signal: undefined }));
  }
  return { kind: "asked" };
}

/**
 * Launching is the one effect that an agent's death does not always stop: a child already forked runs on and shows its mark only
 * when it has begun its program, and a job once queued is carried out.
 */
function launch(world: World, act: Act, request: LaunchRequest): Promise<LaunchOutcome> {
  const { host } = world;
  const { life } = act;
  const { clock, random } = host;
  const id = request.record.id;
  const isForkedAt = clock.now;
  if (!life.isDead && life.killAtCall === undefined && random.chance(0.3)) {
    // Where the agent dies within the call, it may die right after the fork.
    const forkAfterMs = random.betweenMs(0, 20);
    let isOver = false;
    clock.after(forkAfterMs, () => {
      if (isOver || !life.isDead) return;
      const landsAfterMs =
        host.launcherKind === "systemd"
          ? random.betweenMs(0, JOB_AFTER_DEATH_MS_MAX)
          : random.betweenMs(0, EFFECT_AFTER_DEATH_MS_MAX) - forkAfterMs;
      host.log.write("launch outlives agent", id, `forked at ${isForkedAt}`);
      commit(world, request, Math.max(0, landsAfterMs), host.launcherKind === "systemd");
    });
    return life.call({
      effect: () => {
        isOver = true;
        return takeLaunch(world, act, request);
      },
      takesMs: launchTakesMs,
    });
  }
  return life.call({ effect: () => takeLaunch(world, act, request), takesMs: launchTakesMs });
}

const LAUNCH_TIMEOUT_MS = 10_000;

function launchTakesMs(outcome: LaunchOutcome): number {
  return outcome.kind === "unknown" ? LAUNCH_TIMEOUT_MS : 0;
}

function takeLaunch(world: World, act: Act, request: LaunchRequest): LaunchOutcome {
  const { host } = world;
  const { record } = request;
  const vm = host.vms.get(record.id);
  world.trip("launch", record.id);
  if (vm === undefined) return { kind: "refused", error: "no such program" };
  if (record.launch === undefined) return { kind: "refused", error: "the record has no launch" };
  host.log.write("launch", vm.id, `incarnation ${request.incarnation} by agent ${act.life.number}`);
  for (const checker of world.checkers) checker.onLaunch?.(act, request);
  if (vm.launchesToRefuse > 0) {
    vm.launchesToRefuse--;
    return { kind: "refused", error: "EAGAIN: resource temporarily unavailable" };
  }
  const late = vm.lateLaunch;
  if (late !== undefined) {
    vm.lateLaunch = undefined;
    commit(world, request, late.landsAfterMs, true);
    return { kind: "unknown", error: "timed out" };
  }
  const process = host.startVm(vm, record, { startedBy: "agent", incarnation: request.incarnation });
  return { kind: "launched", process: process.identity };
}

/**
 * A launch that comes to something later, or (undefined) is dropped after a while.
 *
 * @param isQueued whether the launcher knows of it; a child that has only just been forked is known to nobody
 */
function commit(world: World, request: LaunchRequest, landsAfterMs: number | undefined, isQueued: boolean): void {
  const { host } = world;
  const { record, incarnation } = request;
  const job = { vmId: record.id, takenAt: host.now };
  const { bootId } = host.processes;
  if (isQueued) host.jobs.set(record.id, job);
  host.clock.after(landsAfterMs ?? 30_000, () => {
    if (host.processes.bootId !== bootId) return;
    if (isQueued && host.jobs.get(record.id) !== job) return;
    if (isQueued) host.jobs.delete(record.id);
    const vm = host.vms.get(record.id);
    if (vm === undefined || landsAfterMs === undefined) return;
    host.log.write("late launch lands", record.id);
    host.startVm(vm, record, { startedBy: "agent", incarnation });
  });
}
