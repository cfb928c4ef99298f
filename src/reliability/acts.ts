/**
 * Has acts carried out beside the loop: who gets a slot, what an act may ask of the world, and what becomes of its outcome.
 * @module
 */

import { TIMED_OUT, withDeadline } from "../async/deadline.ts";
import type { BlockedReason } from "../domain/event.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import type { VmId, VmRecord } from "../domain/vm_record.ts";
import type { ExaminedDisk } from "../ports/disk_holders.ts";
import type { ActWorld, LaunchMemory } from "../recovery/act.ts";
import type { AdmissionClass, Candidate } from "../recovery/admission.ts";
import { admit } from "../recovery/admission.ts";
import { effectivePolicy } from "../recovery/effective_policy.ts";
import type { ActPurpose, FreshIntent } from "../recovery/fresh_intent.ts";
import { readFreshIntent } from "../recovery/fresh_intent.ts";
import type { Observation } from "../recovery/observation.ts";
import { restart } from "../recovery/restart.ts";
import { stop } from "../recovery/stop.ts";
import type { Main } from "../recovery/vm.ts";
import { rememberedOf } from "../recovery/vm.ts";
import type { Work } from "../recovery/work_wanted.ts";
import type { Fleet } from "./fleet.ts";
import type { Lookout } from "./lookout.ts";
import { rivalOf } from "./rivals.ts";
import type { TrackedVm } from "./tracked_vm.ts";

/** VMs that are probed before force is used, so that the brake can see. */
const BYSTANDERS_MAX = 64;
/** What was seen of a bystander this recently is fresh enough; probing it again would only count its misses twice. */
const BYSTANDER_AGE_MS = 2_000;
/** A launch whose end is unknown shows itself within this, or never: longer than the service manager lets a job wait. */
const LAUNCH_LANDS_WITHIN_MS = 300_000;
/** Where nothing but its process shows that a VM is well, it may be called so before it has opened its disks. */
const DISKS_OPENED_WITHIN_MS = 10_000;
/** An intent that cannot be read within this permits nothing. */
const INTENT_TIMEOUT_MS = 5_000;
/** How often intent is read again because another reading has overtaken it. */
const FRESH_TRIES_MAX = 5;

export class Acts {
  readonly #fleet: Fleet;
  readonly #lookout: Lookout;
  readonly #ends = new Set<Promise<void>>();
  #stopping = false;

  constructor(fleet: Fleet, lookout: Lookout) {
    this.#fleet = fleet;
    this.#lookout = lookout;
  }

  /** Begins what is due, as far as there are slots. */
  admit(now: MonotonicMs): void {
    if (this.#stopping || this.#fleet.waiting.size === 0) return;
    const restarts: Candidate[] = [];
    const stops: Candidate[] = [];
    for (const tracked of [...this.#fleet.waiting]) {
      const work = this.#fleet.workOf(tracked, now);
      if (work === undefined || work.dueAt > now) {
        this.#fleet.waiting.delete(tracked);
        this.#fleet.reschedule(tracked);
        continue;
      }
      const candidate = { id: tracked.id, priority: tracked.record.priority, waitingSince: work.waitingSince };
      if (work.kind === "stop") stops.push({ ...candidate, class: "first" });
      else restarts.push({ ...candidate, class: work.class });
    }
    const slotsMax = this.#fleet.policy.recovery.maxConcurrentRecoveries;
    for (const [kind, candidates] of [
      ["restart", restarts],
      ["stop", stops],
    ] as const) {
      const running = this.#runningClasses(kind);
      for (const { id } of admit(candidates, { slotsMax, running }, now)) {
        const tracked = this.#fleet.tracked.get(id);
        const work = tracked === undefined ? undefined : this.#fleet.workOf(tracked, now);
        if (tracked !== undefined && work !== undefined) this.#begin(tracked, work);
      }
    }
  }

  /** Stops have slots of their own: a guest that takes its time to shut down must not keep a dead one from coming back. */
  #runningClasses(kind: "restart" | "stop"): readonly AdmissionClass[] {
    const classes: AdmissionClass[] = [];
    for (const { act } of this.#fleet.acts.values()) if (act?.kind === kind) classes.push(act.class);
    return classes;
  }

  #begin(tracked: TrackedVm, work: Work): void {
    const controller = new AbortController();
    const admissionClass = work.kind === "restart" ? work.class : "first";
    tracked.act = { kind: work.kind, class: admissionClass, controller };
    this.#fleet.acts.set(tracked.id, tracked);
    this.#fleet.waiting.delete(tracked);
    const end = this.#carryOut(tracked, work, controller.signal).catch((error: unknown) => this.#fleet.fail(error));
    this.#ends.add(end);
    void end.then(() => this.#ends.delete(end));
  }

  async #carryOut(tracked: TrackedVm, work: Work, signal: AbortSignal): Promise<void> {
    const { vm, id } = tracked;
    const world = this.#worldOf(tracked, signal);
    let observation: Extract<Observation, { type: "stop_ended" | "restart_ended" }>;
    if (work.kind === "stop") {
      if (vm.main === undefined) throw new Error(`Cannot stop ${id} as its main process must be known`);
      this.#fleet.apply(tracked, { type: "stop_began" });
      observation = {
        type: "stop_ended",
        outcome: await stop({ id, main: vm.main, lostProcess: undefined, deadIncarnation: undefined }, world),
      };
    } else {
      this.#fleet.apply(tracked, { type: "restart_began" });
      const outcome = await restart(
        {
          id,
          main: vm.main,
          lostProcess: vm.lostProcess,
          deadIncarnation: vm.deadIncarnation,
          mode: work.mode,
          reason: vm.loss?.reason,
          attempts: vm.attempts,
          incarnation: vm.incarnation,
          openIntent: tracked.openIntent,
        },
        world,
      );
      // On disk before it is said: whoever read that a VM is well may kill the agent, and its successor must know it too.
      if (outcome.kind === "healthy") await this.#rememberHealthy(tracked, outcome.main);
      observation = { type: "restart_ended", outcome };
    }
    if (observation.outcome.kind === "attempt_failed" && observation.outcome.cause === "launch_unknown") {
      // What may still land may do so from the moment on at which nobody waits for it any more.
      const { openIntent } = tracked;
      if (openIntent !== undefined) tracked.openIntent = { ...openIntent, foundAt: this.#fleet.deps.clock.monotonic() };
    }
    this.#fleet.acts.delete(id);
    tracked.act = undefined;
    tracked.knownSince = this.#fleet.deps.clock.monotonic();
    if (tracked.deleted) {
      if (!this.#fleet.tracked.has(id)) await this.#fleet.memory.forget(id);
      const successor = this.#fleet.tracked.get(id);
      if (successor !== undefined) this.#fleet.reschedule(successor);
      this.#fleet.wake();
      return;
    }
    // Every process of it is proven gone, so no launch of the past can land any more.
    if (observation.type === "stop_ended" && observation.outcome.kind === "stopped") tracked.openIntent = undefined;
    this.#fleet.apply(tracked, observation);
    const { now } = this.#fleet.situation(tracked, this.#fleet.deps.clock.monotonic());
    if (tracked.vm.phase.name === "healthy") {
      tracked.nextProbeAt = after(now, tracked.policy.health.intervalMs * this.#fleet.deps.random.next());
      tracked.spread = true;
      this.#fleet.reschedule(tracked);
    }
    // While an act is under way nobody listens for the end of its main process.
    this.#lookout.lookAfterAct(tracked);
    this.#fleet.wake();
  }

  async #freshIntent(tracked: TrackedVm, purpose: ActPurpose): Promise<FreshIntent> {
    const fleet = this.#fleet;
    const { id } = tracked;
    for (let tries = 0; tries < FRESH_TRIES_MAX; tries += 1) {
      if (!fleet.holdsLock()) return { kind: "no", detail: "its agent has lost the lock", read: undefined };
      const readings = fleet.registryReadings;
      const beganAt = fleet.deps.clock.monotonic();
      const reading = readFreshIntent(fleet.deps, id, tracked.record, purpose, fleet.readings);
      const intent = await withDeadline(fleet.deps.clock, INTENT_TIMEOUT_MS, reading);
      if (intent === TIMED_OUT) return { kind: "no", detail: "its intent cannot be read in time", read: undefined };
      // Another reading has overtaken this one, so this one is not fresh any more.
      if (readings !== fleet.registryReadings) continue;
      const rival = intent.read === undefined ? undefined : this.#rivalOf(tracked, intent.read.record);
      if (rival !== undefined) {
        return { kind: "no", detail: `its record claims what ${rival} has`, read: undefined };
      }
      if (intent.read !== undefined && !tracked.deleted) fleet.recordRead(intent.read, beganAt);
      // A hold that another reading saw a moment ago binds as well.
      if (intent.kind === "go" && tracked.holding.held) return { ...intent, kind: "no", detail: "held" };
      return intent;
    }
    return { kind: "no", detail: "the registry changes faster than it can be read", read: undefined };
  }

  /** A record that has changed since the registry was read has not been compared with the others. */
  #rivalOf(tracked: TrackedVm, record: VmRecord): VmId | undefined {
    if (record.contentHash === tracked.record.contentHash) return undefined;
    return rivalOf(
      record,
      [...this.#fleet.tracked.values()].map((each) => each.record),
    );
  }

  async #rememberHealthy(tracked: TrackedVm, main: Main): Promise<void> {
    const { memory, deps } = this.#fleet;
    await memory.save(tracked.id, {
      ...rememberedOf(tracked.vm, deps.processTable.bootId),
      main: main.identity,
      runsWith: main.runsWith,
      recovering: undefined,
      launchIntent: undefined,
    });
  }

  #worldOf(tracked: TrackedVm, signal: AbortSignal): ActWorld {
    const { clock, stateStore, processTable } = this.#fleet.deps;
    const { id } = tracked;
    return {
      ports: this.#fleet.deps,
      users: this.#fleet.deps,
      signal,
      freshIntent: (purpose) => this.#freshIntent(tracked, purpose),
      policyFor: (record) => effectivePolicy(this.#fleet.policy, record),
      scan: () => this.#fleet.scanner.scan(),
      remember: async (memory: LaunchMemory) => {
        const foundAt = clock.monotonic();
        tracked.openIntent = memory.launchIntent === undefined ? undefined : { intent: memory.launchIntent, foundAt };
        return await this.#fleet.memory.save(id, {
          ...rememberedOf(tracked.vm, processTable.bootId),
          attempts: memory.attempts,
          incarnation: memory.incarnation,
          main: memory.main?.identity,
          runsWith: memory.main?.runsWith,
          retryAt: undefined,
          launchIntent: memory.launchIntent,
        });
      },
      rememberStartedOnce: (record) => {
        this.#fleet.startedOnce.set(id, record.contentHash);
        return stateStore.saveStartedOnce(id, record.contentHash);
      },
      forgetStartedOnce: () => {
        this.#fleet.startedOnce.delete(id);
        return stateStore.forgetStartedOnce(id);
      },
      claimDisks: (disks) => this.#claimDisks(id, disks),
      observe: (observation) => this.#fleet.apply(tracked, observation),
      forceRefusal: () => this.#forceRefusal(tracked),
      isBraked: () => {
        this.#fleet.minds(clock.monotonic());
        return this.#fleet.brake.engaged;
      },
      countForcedStop: () => {
        const { memory, policy } = this.#fleet;
        return memory.countForcedStop(clock.monotonic(), policy.recovery.maxForcedStops);
      },
    };
  }

  /**
   * Two VMs that name the same disk may be examined at the same instant, before either has opened it. So a disk belongs to the VM
   * that was examined first until its VMM has been seen healthy and had the time to open it, or is given up.
   */
  #claimDisks(claiming: VmId, wanted: readonly ExaminedDisk[]): VmId | undefined {
    for (const [id, disks] of this.#fleet.diskClaims) {
      const claimant = this.#fleet.tracked.get(id) ?? this.#fleet.acts.get(id);
      const stands = claimant !== undefined && mayYetOpenDisks(claimant, this.#fleet.deps.clock.monotonic());
      if (!stands) this.#fleet.diskClaims.delete(id);
      else if (id !== claiming && conflict(disks, wanted)) return id;
    }
    this.#fleet.diskClaims.set(claiming, wanted);
    return undefined;
  }

  async #forceRefusal(tracked: TrackedVm): Promise<BlockedReason | "braked" | undefined> {
    const seenSince = after(this.#fleet.deps.clock.monotonic(), -BYSTANDER_AGE_MS);
    const bystanders = [...this.#fleet.tracked.values()].filter(
      (other) => other !== tracked && this.#fleet.mayProbe(other) && other.probedAt < seenSince,
    );
    const chosen = sample(bystanders, BYSTANDERS_MAX, () => this.#fleet.deps.random.next());
    await Promise.all(chosen.map((other) => this.#lookout.probe(other)));
    const now = this.#fleet.deps.clock.monotonic();
    this.#fleet.minds(now);
    if (this.#fleet.brake.engaged) return "braked";
    const { maxForcedStops } = this.#fleet.policy.recovery;
    return this.#fleet.memory.forcedStopsLastHour(now) >= maxForcedStops ? "forced_stops_exhausted" : undefined;
  }

  /** Ends those acts at their next safe point that the policy no longer permits. */
  abortForbidden(): void {
    for (const { act, policy } of this.#fleet.acts.values()) {
      if (!this.#fleet.policy.enabled || !policy.recovery.enabled) act?.controller.abort();
    }
  }

  /** Ends every act at its next safe point, and begins no more. Resolves when all have ended. */
  async end(): Promise<void> {
    this.#stopping = true;
    for (const { act } of this.#fleet.acts.values()) act?.controller.abort();
    await Promise.all(this.#ends);
  }
}

/** At most `countMax` of `items`, chosen at random. */
function sample<T>(items: readonly T[], countMax: number, chance: () => number): readonly T[] {
  const pool = [...items];
  const chosen: T[] = [];
  while (chosen.length < countMax && pool.length > 0) {
    const [item] = pool.splice(Math.floor(chance() * pool.length), 1);
    if (item !== undefined) chosen.push(item);
  }
  return chosen;
}

/** Whether two VMs name the same disk, and at least one of them wants it for itself. */
function conflict(a: readonly ExaminedDisk[], b: readonly ExaminedDisk[]): boolean {
  return a.some((disk) => b.some((other) => !(other.shared && disk.shared) && sameDisk(disk, other)));
}

/** A disk may be named through links, or by another node of the same device. */
function sameDisk(a: ExaminedDisk, b: ExaminedDisk): boolean {
  return a.path === b.path || a.keys.some((key) => b.keys.includes(key));
}

/** Whether a VM that was examined for its disks may open them without showing it yet. */
function mayYetOpenDisks({ act, vm, openIntent }: TrackedVm, now: MonotonicMs): boolean {
  const mayLand = openIntent !== undefined && now < after(openIntent.foundAt, LAUNCH_LANDS_WITHIN_MS);
  if (act !== undefined || vm.openAttempt !== undefined || (mayLand && vm.main === undefined)) return true;
  return vm.main !== undefined && now < after(vm.main.startedAt, DISKS_OPENED_WITHIN_MS);
}
