/**
 * One seed's world: a host, the agents that live on it one after another, and those who watch them.
 * @module
 */

import { setImmediate } from "node:timers";
import type { ReliabilityEvent } from "../../src/domain/event.ts";
import type { HealthPolicy, Policy, RecoveryPolicy } from "../../src/domain/policy.ts";
import type { ProcessIdentity } from "../../src/domain/process.ts";
import type { RuntimeState } from "../../src/domain/runtime_state.ts";
import type { ControlRequest } from "../../src/ports/control.ts";
import { runReliability } from "../../src/reliability/integration.ts";
import { facadeOf } from "./agent_facade.ts";
import { AgentLife, type Latency } from "./agent_life.ts";
import type { Drain } from "./drain.ts";
import { EventLog } from "./event_log.ts";
import { type NoticeMode, SimHost } from "./sim_host.ts";
import { isLiving, keyOf, type SimProcess } from "./sim_process.ts";
import { SimRandom } from "./sim_random.ts";
import type { SimVm } from "./sim_vm.ts";
import { VirtualClock } from "./virtual_clock.ts";
import type { Blame, Checker, MakeChecker } from "./watch.ts";

export interface Violation {
  readonly at: number;
  readonly rule: string;
  readonly subject: string;
  readonly what: string;
}

interface HintSubscription {
  readonly life: AgentLife;
  readonly onHint: (id: string | undefined) => void;
}

interface ExitWatch {
  readonly life: AgentLife;
  readonly onExit: () => void;
}

export interface WorldOptions {
  readonly seed: number;
  readonly policy: Policy;
  readonly latency: Latency;
  readonly launcherKind: "direct" | "systemd";
  readonly checkers: readonly MakeChecker[];
}

/** `RestartSec` of the service, give or take what a busy host adds. */
const RESTART_MS_MAX = 4_000;
/** Section 9 of the specification: a stop is over within this. */
const STOP_MS_MAX = 5_000;
const LATE_MS_MAX = 45_000;

export class World {
  readonly clock = new VirtualClock();
  readonly log = new EventLog(this.clock);
  readonly random: SimRandom;
  readonly host: SimHost;
  readonly checkers: readonly Checker[];
  readonly recordHints = new Set<HintSubscription>();
  readonly intentHints = new Set<HintSubscription>();
  readonly latency: Latency;
  policy: Policy;
  /** The policy that was in force before the last reload, and when that was. */
  previousPolicy: Policy;
  policyChangedAt = Number.NEGATIVE_INFINITY;
  violation: Violation | undefined;
  /** The agent that the service manager runs; undefined while none does. */
  agent: AgentLife | undefined;
  /** When the last clean stop ended. */
  cleanStopAt = Number.NEGATIVE_INFINITY;
  /** The liveness phase has begun: nothing strikes any more. */
  areFaultsOver = false;
  /** Sees what the present agent reports, beside the checkers. */
  onReport: (event: ReliabilityEvent) => void = () => {};
  /** When the last SIGUSR2 arrived. */
  inspectedAt = Number.NEGATIVE_INFINITY;
  #lives = 0;
  #lock: AgentLife | undefined;
  readonly #exitWatches = new Map<string, Set<ExitWatch>>();
  readonly #control = new Map<AgentLife, (request: ControlRequest) => void>();
  /** By point, then by VM. */
  readonly #tripwires = new Map<string, Map<string, (() => void)[]>>();
  readonly #saved = new Map<string, { readonly life: AgentLife; readonly state: RuntimeState; readonly at: number }>();
  readonly #attempting = new Set<string>();
  readonly #blocked = new Set<string>();
  readonly #agentRandom: SimRandom;

  constructor(options: WorldOptions) {
    this.random = new SimRandom(options.seed);
    this.#agentRandom = this.random.fork();
    this.policy = options.policy;
    this.previousPolicy = options.policy;
    this.latency = options.latency;
    this.host = new SimHost(this.clock, this.random.fork(), this.log, options.launcherKind);
    const blame: Blame = (rule, subject, what) => this.blame(rule, subject, what);
    this.checkers = options.checkers.map((make) => make(this, blame));
    this.clock.onStandstill = () => this.blame("nobody spins", "-", "100,000 events at one instant");
    this.host.onExit = (process) => {
      this.#announceExit(process);
      for (const checker of this.checkers) checker.onExit?.(process);
    };
    this.host.onSpawn = (process) => {
      for (const checker of this.checkers) checker.onSpawn?.(process);
    };
    this.host.registry.onChange = (id) => this.#hint(this.recordHints, id);
    this.host.intent.onChange = (id) => this.#hint(this.intentHints, id);
  }

  /** Runs the world up to an instant, or to its first violation. */
  runUntil(instant: number, drain: Drain): Promise<void> {
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        this.clock.runUntil(instant, drain).then(resolve, reject);
      });
    });
  }

  blame(rule: string, subject: string, what: string): void {
    if (this.violation !== undefined) return;
    this.violation = { at: this.clock.now, rule, subject, what };
    this.log.write("VIOLATION", subject, `${rule}: ${what}`);
    this.clock.halt();
  }

  /** Calls `run` once, when an agent next passes that point for that VM. */
  setTripwire(point: string, vmId: string, run: () => void): void {
    const byVm = this.#tripwires.get(point) ?? new Map<string, (() => void)[]>();
    const waiting = byVm.get(vmId) ?? [];
    waiting.push(run);
    byVm.set(vmId, waiting);
    this.#tripwires.set(point, byVm);
  }

  trip(point: string, vmId: string): void {
    const byVm = this.#tripwires.get(point);
    const waiting = byVm?.get(vmId);
    if (byVm === undefined || waiting === undefined) return;
    byVm.delete(vmId);
    for (const run of waiting) run();
  }

  clearTripwires(): void {
    this.#tripwires.clear();
  }

  vmByTcpHost(tcpHost: string): SimVm | undefined {
    for (const vm of this.host.vms.values()) if (vm.tcpHost === tcpHost) return vm;
    return undefined;
  }

  isDiskUnavailable(path: string): boolean {
    for (const vm of this.host.vms.values()) if (vm.isDiskUnavailable && vm.diskPath === path) return true;
    return false;
  }

  /** The recovery policy of one VM: its record's own words, then the host's. */
  recoveryPolicy(id: string): RecoveryPolicy {
    const own = this.host.registry.lastRecord(id)?.recovery;
    return own === undefined ? this.policy.recovery : { ...this.policy.recovery, ...own };
  }

  healthPolicy(id: string): HealthPolicy {
    const own = this.host.registry.lastRecord(id)?.healthCheck;
    return own === undefined ? this.policy.health : { ...this.policy.health, ...own };
  }

  startGraceMs(id: string): number {
    const graceMs = this.host.registry.lastRecord(id)?.healthCheck.startGraceMs;
    return graceMs ?? Math.min(this.policy.health.startGraceMs, this.previousPolicy.health.startGraceMs);
  }

  startAgent(): AgentLife {
    const life = this.#beginLife();
    this.agent = life;
    return life;
  }

  /** A second agent on the same registry. */
  startRival(): void {
    this.#beginLife();
  }

  /** `kill -9`, and the service manager's restart. */
  killAgent(life: AgentLife, restartMs?: number): void {
    if (life.isDead) return;
    this.log.write("agent killed", String(life.number));
    this.#endLife(life, "killed");
    if (this.agent !== life) return;
    this.agent = undefined;
    this.clock.after(restartMs ?? this.random.betweenMs(0, RESTART_MS_MAX), () => {
      if (this.agent === undefined && !this.host.isShuttingDown) this.startAgent();
    });
  }

  /** SIGTERM. */
  stopAgent(life: AgentLife): void {
    if (life.isDead || life.abort.signal.aborted) return;
    this.log.write("agent asked to stop", String(life.number));
    life.thaw();
    life.abort.abort();
    this.clock.after(STOP_MS_MAX + 1, () => {
      if (!life.isDead && !life.isFrozen && this.clock.now - life.thawedAt > STOP_MS_MAX) {
        this.blame("a stop is over within 5 s", `${life.number}`, "the agent still runs");
      }
    });
  }

  control(request: ControlRequest): void {
    for (const [life, onRequest] of this.#control) {
      life.deliver(() => {
        if (request.kind === "inspect") this.inspectedAt = this.clock.now;
        else this.policyChangedAt = this.clock.now;
        onRequest(request);
      });
    }
  }

  reload(policy: Policy, changed: readonly string[]): void {
    this.previousPolicy = this.policy;
    this.policy = policy;
    this.policyChangedAt = this.clock.now;
    this.control({ kind: "reload", policy, changed });
  }

  subscribeControl(life: AgentLife, onRequest: (request: ControlRequest) => void): () => void {
    this.#control.set(life, onRequest);
    return () => {
      this.#control.delete(life);
    };
  }

  subscribe(
    life: AgentLife,
    subscriptions: Set<HintSubscription>,
    onHint: (id: string | undefined) => void,
  ): () => void {
    const subscription = { life, onHint };
    if (!life.isDead) subscriptions.add(subscription);
    return () => {
      subscriptions.delete(subscription);
    };
  }

  watchExit(life: AgentLife, identity: ProcessIdentity, onExit: () => void): () => void {
    if (life.isDead) return () => {};
    const process = this.host.processes.get(identity);
    const watch: ExitWatch = { life, onExit };
    const key = keyOf(identity);
    if (process === undefined || !isLiving(process)) {
      this.#notify(watch);
      return () => {};
    }
    const watches = this.#exitWatches.get(key) ?? new Set();
    watches.add(watch);
    this.#exitWatches.set(key, watches);
    return () => {
      watches.delete(watch);
    };
  }

  /** Tells the watchers of a process that it has ended, although it has not. */
  cryWolf(process: SimProcess): void {
    for (const watch of this.#exitWatches.get(process.key) ?? []) this.#notify(watch);
  }

  takeLock(life: AgentLife): boolean {
    if (this.#lock !== undefined && !this.#lock.isDead) return false;
    this.#lock = life;
    life.holdsLock = true;
    // Whoever holds the lock is the agent: a rival that came as the last one ended, too.
    this.agent = life;
    return true;
  }

  releaseLock(life: AgentLife): void {
    life.holdsLock = false;
    if (this.#lock === life) this.#lock = undefined;
  }

  noteSaved(life: AgentLife, id: string, state: RuntimeState): void {
    this.#saved.set(id, { life, state, at: this.clock.now });
  }

  /** Whether the present agent has begun an attempt at the VM that has not come to an end. */
  isStartInFlight(id: string): boolean {
    return this.#attempting.has(id);
  }

  isReportedBlocked(id: string): boolean {
    return this.#blocked.has(id);
  }

  /** Ends the agent with its host. */
  removeAgent(): void {
    const life = this.agent;
    this.agent = undefined;
    if (life !== undefined && !life.isDead) this.#endLife(life, "killed");
  }

  /** The last state of a VM that this life has put on disk. */
  savedBy(life: AgentLife, id: string): RuntimeState | undefined {
    const saved = this.#saved.get(id);
    return saved?.life === life ? saved.state : undefined;
  }

  report(life: AgentLife, event: ReliabilityEvent): void {
    if (life.isDead) return;
    const vmId = "vmId" in event && event.vmId !== undefined ? event.vmId : "-";
    if (event.type !== "probe_finished" || event.outcome !== "success") this.log.write(event.type, vmId, event);
    for (const checker of this.checkers) checker.onEvent?.(life, event);
    this.#noteAttempt(event.type, vmId);
    if (event.type === "recovery_blocked") this.#blocked.add(vmId);
    if (life.holdsLock) this.onReport(event);
    this.trip(event.type, vmId);
  }

  #noteAttempt(type: ReliabilityEvent["type"], vmId: string): void {
    switch (type) {
      case "orphan_detected":
      case "recovery_starting":
      case "recovery_attempting":
      case "vm_starting":
        this.#attempting.add(vmId);
        return;
      case "attempt_failed":
      case "recovery_successful":
      case "vm_started":
      case "vm_stopped":
      case "recovery_blocked":
        this.#attempting.delete(vmId);
        return;
      default:
        return;
    }
  }

  #beginLife(): AgentLife {
    this.#lives++;
    const life = new AgentLife(this.#lives, this.host, this.#agentRandom.fork(), this.latency);
    life.onKilled = () => this.killAgent(life);
    this.log.write("agent starts", String(life.number));
    for (const checker of this.checkers) checker.onLifeBegun?.(life);
    runReliability(facadeOf(this, life), this.policy, life.abort.signal).then(
      (end) => {
        if (life.isDead) return;
        this.log.write("agent ends", String(life.number), end);
        const isExpected =
          end.kind === "stopped" ? life.abort.signal.aborted : end.kind === "locked" && !life.holdsLock;
        if (!isExpected) this.blame("an agent ends only when it must", String(life.number), JSON.stringify(end));
        this.#endLife(life, "stopped");
        if (end.kind === "stopped") this.cleanStopAt = this.clock.now;
        if (this.agent !== life) return;
        this.agent = undefined;
        this.clock.after(this.random.betweenMs(0, RESTART_MS_MAX), () => {
          if (this.agent === undefined && !this.host.isShuttingDown) this.startAgent();
        });
      },
      (error: unknown) => {
        if (life.isDead) return;
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        this.blame("an agent never crashes", String(life.number), text);
      },
    );
    return life;
  }

  #endLife(life: AgentLife, how: "killed" | "stopped"): void {
    for (const checker of this.checkers) checker.onLifeEnded?.(life, how);
    life.isDead = true;
    if (life.holdsLock) this.#attempting.clear();
    this.releaseLock(life);
    this.#control.delete(life);
    for (const subscriptions of [this.recordHints, this.intentHints]) {
      for (const subscription of [...subscriptions]) if (subscription.life === life) subscriptions.delete(subscription);
    }
    for (const watches of this.#exitWatches.values()) {
      for (const watch of [...watches]) if (watch.life === life) watches.delete(watch);
    }
  }

  #announceExit(process: SimProcess): void {
    const watches = this.#exitWatches.get(process.key);
    if (watches === undefined) return;
    this.#exitWatches.delete(process.key);
    for (const watch of watches) this.#notify(watch);
  }

  #notify(watch: ExitWatch): void {
    this.#send(this.host.exitNotices, () => watch.life.deliver(watch.onExit));
  }

  #hint(subscriptions: Set<HintSubscription>, id: string | undefined): void {
    for (const { life, onHint } of subscriptions) {
      this.#send(this.host.changeNotices, () => life.deliver(() => onHint(id)));
    }
  }

  #send(mode: NoticeMode, run: () => void): void {
    switch (mode) {
      case "lost":
        return;
      case "late":
        this.clock.after(this.random.betweenMs(0, LATE_MS_MAX), run);
        return;
      case "doubled":
        this.clock.after(this.random.betweenMs(0, 500), run);
        break;
      case "prompt":
        break;
    }
    this.clock.after(this.random.betweenMs(0, 2), run);
  }
}
