/**
 * The VMs of the host as the loop holds them, and what follows at once from anything that is seen of one.
 *
 * Whoever sees something hands it to `apply`: the rules turn it into the next state, events are reported, what a successor needs is
 * noted, and the VM is queued for when it is due next.
 * @module
 */

import { DueQueue } from "../async/due_queue.ts";
import type { Policy } from "../domain/policy.ts";
import { sameProcess } from "../domain/process.ts";
import type { RuntimeState } from "../domain/runtime_state.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import type { VmId, VmRecord } from "../domain/vm_record.ts";
import type { ExaminedDisk } from "../ports/disk_holders.ts";
import type { ReadRecord } from "../ports/registry.ts";
import type { Brake } from "../recovery/brake.ts";
import { nextBrake, RELEASED } from "../recovery/brake.ts";
import { FirstReadings } from "../recovery/holding.ts";
import type { Observation } from "../recovery/observation.ts";
import type { Situation, Vm } from "../recovery/vm.ts";
import { isPhase, rememberedOf } from "../recovery/vm.ts";
import { nextVm } from "../recovery/vm_recovery.ts";
import type { Work } from "../recovery/work_wanted.ts";
import { workWanted } from "../recovery/work_wanted.ts";
import type { Dependencies } from "./dependencies.ts";
import { Holdings } from "./holdings.ts";
import { launchDifferences } from "./inventory.ts";
import type { Memory } from "./memory.ts";
import { NEVER } from "./never.ts";
import { Scanner } from "./scanner.ts";
import { firstProbeAt, TrackedVm } from "./tracked_vm.ts";

export interface FleetOptions {
  readonly policy: Policy;
  /** What an earlier agent of this boot left. */
  readonly rememberedVms: ReadonlyMap<VmId, RuntimeState>;
  /** Contents of `restart: never` records that were started already. */
  readonly startedOnce: ReadonlyMap<VmId, string>;
  /** Something says that the main process of a VM has ended. */
  readonly onExitNotice: (tracked: TrackedVm) => void;
  readonly guard: LockGuard;
  /** Makes the loop turn now. */
  readonly wake: () => void;
  /** A task beside the loop failed, which is a bug. */
  readonly fail: (error: unknown) => void;
}

/** That this agent is the only one. */
export interface LockGuard {
  readonly isHeld: () => boolean;
  /** Ends the agent. */
  readonly lose: () => void;
}

export class Fleet {
  readonly deps: Dependencies;
  readonly memory: Memory;
  readonly readings = new FirstReadings();
  readonly holdings: Holdings;
  readonly scanner: Scanner;
  readonly due = new DueQueue();
  readonly tracked = new Map<VmId, TrackedVm>();
  /** VMs whose work is due and waits for a slot. */
  readonly waiting = new Set<TrackedVm>();
  /** VMs with an act under way; one outlives its VM's record, and no other of that id may begin until it has ended. */
  readonly acts = new Map<VmId, TrackedVm>();
  /** Disks that VMs were examined for and may not have opened yet. */
  readonly diskClaims = new Map<VmId, readonly ExaminedDisk[]>();
  /** Contents of `restart: never` records that were started already. */
  readonly startedOnce: Map<VmId, string>;
  /** VMs that should run, and those of them that are suspect or blocked. */
  readonly expected = new Set<VmId>();
  readonly suspects = new Set<VmId>();
  readonly healthy = new Set<VmId>();
  readonly #rememberedVms: Map<VmId, RuntimeState>;
  readonly wake: () => void;
  readonly fail: (error: unknown) => void;
  readonly #guard: LockGuard;
  readonly #onExitNotice: (tracked: TrackedVm) => void;
  /** Nothing is looked at any more, and acts come to their end. */
  isEnding = false;
  /** What happens from now on is for the successor to see and to say, as it would not reach the disk any more. */
  isSealed = false;
  /** Grows with everything that a status would show. */
  revision = 0;
  /** Grows with every reading of the registry that was believed or not. */
  registryReadings = 0;
  policy: Policy;
  brake: Brake = RELEASED;

  constructor(deps: Dependencies, memory: Memory, options: FleetOptions) {
    this.deps = deps;
    this.memory = memory;
    this.policy = options.policy;
    this.#rememberedVms = new Map(options.rememberedVms);
    this.startedOnce = new Map(options.startedOnce);
    this.#guard = options.guard;
    this.wake = options.wake;
    this.fail = options.fail;
    this.#onExitNotice = options.onExitNotice;
    this.scanner = new Scanner(deps.clock, deps.processTable);
    this.holdings = new Holdings(deps, this.readings);
  }

  track(record: VmRecord): void {
    const now = this.deps.clock.monotonic();
    const tracked = new TrackedVm(record, this.policy, this.#rememberedVms.get(record.id), now);
    // It tells of the VM that an earlier agent knew; should the record be deleted and created anew, that is another VM.
    this.#rememberedVms.delete(record.id);
    const once = this.startedOnce.get(record.id);
    if (record.restart === "never" && once !== undefined) tracked.vm = { ...tracked.vm, exitedForContent: once };
    this.tracked.set(record.id, tracked);
    // What an earlier agent launched a moment ago may not have opened its disks yet.
    const starting = tracked.openIntent !== undefined || tracked.vm.openAttempt !== undefined;
    if (starting)
      this.diskClaims.set(
        record.id,
        record.disks.map((disk) => ({ ...disk, keys: [] })),
      );
    this.revision += 1;
    this.#count(tracked);
    tracked.holding = this.holdings.of(record.id);
    this.holdings.say(record.id, tracked.holding);
  }

  untrack(id: VmId): void {
    const tracked = this.tracked.get(id);
    if (tracked === undefined) return;
    const { main, openAttempt } = tracked.vm;
    const { report, clock } = this.deps;
    tracked.deleted = true;
    this.revision += 1;
    tracked.act?.controller.abort();
    tracked.unwatch?.();
    this.tracked.delete(id);
    this.due.delete(id);
    this.waiting.delete(tracked);
    this.expected.delete(id);
    this.suspects.delete(id);
    this.healthy.delete(id);
    this.holdings.forget(id);
    this.startedOnce.delete(id);
    if (openAttempt !== undefined) {
      // An act that has not ended yet must not write it down once more.
      tracked.vm = { ...tracked.vm, openAttempt: undefined };
      report({
        type: "attempt_failed",
        vmId: id,
        recovery: openAttempt.recovery,
        attempt: openAttempt.attempt,
        maxRetries: tracked.policy.recovery.maxRetries,
        cause: "abandoned",
        error: "its record is gone",
        durationMs: clock.monotonic() - openAttempt.startedAt,
        retryDelayMs: 0,
      });
    }
    if (main !== undefined) {
      report({ type: "monitoring_stopped", vmId: id, vmm: main.runsWith.vmm, process: main.identity });
    }
    report({ type: "vm_deleted", vmId: id });
    if (tracked.act === undefined) this.background(this.memory.forget(id));
  }

  /**
   * @param beganAt when the reading began that gave the record: a listing may be slow, and overtaken by an act's own reading
   */
  recordRead(entry: ReadRecord, beganAt: MonotonicMs): void {
    const { id, record } = entry;
    const tracked = this.tracked.get(id);
    if (tracked === undefined || beganAt < tracked.recordReadAt) return;
    tracked.recordReadAt = beganAt;
    if (tracked.record.contentHash === record.contentHash) return;
    this.background(this.memory.saveLastGood(id, entry.source));
    const changed = launchDifferences(tracked.record, record);
    const { desired } = tracked.record;
    tracked.apply(this.policy, record);
    // The act serves another wish; a restart that is verifying has nothing left to lose.
    if (desired !== record.desired || !tracked.policy.recovery.enabled) tracked.act?.controller.abort();
    this.apply(tracked, { type: "record_changed", contentChanged: true, changed });
  }

  /** Lets the rules see something, and does at once what follows without waiting. */
  apply(tracked: TrackedVm, observation: Observation): void {
    if (tracked.deleted || this.isSealed) return;
    const now = this.deps.clock.monotonic();
    const before = tracked.vm;
    const step = nextVm(before, observation, this.situation(tracked, now));
    tracked.vm = step.vm;
    for (const event of step.events) this.deps.report(event);
    if (isWorthShowing(before, step.vm)) this.revision += 1;
    if (step.vm.main !== before.main) this.#mainChanged(tracked, now);
    const sameHealth = step.vm.health.unhealthy === before.health.unhealthy && step.vm.main === before.main;
    if (step.vm.phase !== before.phase || !sameHealth || observation.type === "record_changed") this.#count(tracked);
    const noteworthy = isWorthNoting(before, step.vm) || !this.memory.isNoted(tracked.id);
    if (tracked.act === undefined && noteworthy) this.#note(tracked);
    this.reschedule(tracked);
  }

  situation(tracked: TrackedVm, now: MonotonicMs): Situation {
    return {
      now,
      record: tracked.record,
      health: tracked.policy.health,
      recovery: tracked.policy.recovery,
      held: tracked.holding.held,
      leased: tracked.holding.leased,
      braked: this.brake.engaged,
      chance: this.deps.random.next(),
    };
  }

  #mainChanged(tracked: TrackedVm, now: MonotonicMs): void {
    const { main } = tracked.vm;
    tracked.unwatch?.();
    tracked.unwatch = undefined;
    tracked.knownSince = now;
    if (main === undefined) return;
    if (tracked.openIntent?.intent.incarnation === main.incarnation) tracked.openIntent = undefined;
    tracked.spread = false;
    tracked.nextProbeAt = firstProbeAt(tracked, now, this.deps.random.next());
    tracked.unwatch = this.deps.processEvents.watch(main.identity, () => {
      if (tracked.vm.main !== undefined && sameProcess(tracked.vm.main.identity, main.identity)) {
        this.#onExitNotice(tracked);
      }
    });
  }

  #note(tracked: TrackedVm): void {
    // Before the first look, what is known of a VM is what is on disk already.
    if (tracked.vm.phase.name === "pending" && !tracked.vm.phase.looked) return;
    const launchIntent = tracked.openIntent?.intent;
    this.memory.note(tracked.id, { ...rememberedOf(tracked.vm, this.deps.processTable.bootId), launchIntent });
  }

  #count(tracked: TrackedVm): void {
    const { id, record, vm } = tracked;
    if (record.desired === "running") this.expected.add(id);
    else this.expected.delete(id);
    // One that is being ended by force, or waits for it, is as suspect as before.
    const unhealthy = vm.main !== undefined && vm.health.unhealthy;
    if (record.desired === "running" && (isPhase(vm, "suspect", "blocked") || unhealthy)) this.suspects.add(id);
    else this.suspects.delete(id);
    if (vm.phase.name === "healthy") this.healthy.add(id);
    else this.healthy.delete(id);
  }

  /** Decides when this VM is looked at next, and whether it waits for a slot. */
  reschedule(tracked: TrackedVm): void {
    if (tracked.deleted || !this.policy.enabled) return;
    const now = this.deps.clock.monotonic();
    const work = this.workOf(tracked, now);
    let at: number = NEVER;
    if (work !== undefined && work.dueAt <= now) {
      if (!this.waiting.has(tracked)) {
        this.waiting.add(tracked);
        this.wake();
      }
    } else {
      this.waiting.delete(tracked);
      if (work !== undefined) at = work.dueAt;
    }
    if (this.mayProbe(tracked)) at = Math.min(at, tracked.nextProbeAt);
    if (at === NEVER) {
      this.due.delete(tracked.id);
      return;
    }
    const next = this.due.nextAt;
    this.due.set(tracked.id, after(now, at - now));
    if (next === undefined || at < next) this.wake();
  }

  workOf(tracked: TrackedVm, now: MonotonicMs): Work | undefined {
    if (tracked.act !== undefined || this.acts.has(tracked.id)) return undefined;
    return workWanted(tracked.vm, this.situation(tracked, now));
  }

  mayProbe(tracked: TrackedVm): boolean {
    return tracked.vm.main !== undefined && !tracked.probing && tracked.act === undefined;
  }

  /** Minds the brake. */
  minds(now: MonotonicMs): void {
    const suspects = { suspectVms: this.suspects.size, totalVms: this.expected.size };
    const before = this.brake;
    this.brake = nextBrake(before, suspects, now, this.policy.recovery.brake);
    if (before.engaged === this.brake.engaged) return;
    this.deps.report({ type: this.brake.engaged ? "brake_engaged" : "brake_released", ...suspects });
    if (!this.brake.engaged) for (const tracked of this.tracked.values()) this.reschedule(tracked);
  }

  /** Asked before each act: without its lock the agent does nothing any more, and ends. */
  holdsLock(): boolean {
    if (this.#guard.isHeld()) return true;
    this.isSealed = true;
    this.#guard.lose();
    return false;
  }

  get isWatching(): boolean {
    return this.policy.enabled && !this.isEnding;
  }

  /** A task beside the loop. A failure of it is a bug, and a bug ends the agent: its successor rebuilds everything from the host. */
  background(task: Promise<void>): void {
    task.catch((error: unknown) => this.fail(error));
  }
}

/** Whether a status would show the difference. */
function isWorthShowing(before: Vm, now: Vm): boolean {
  return (
    before.phase !== now.phase ||
    before.main !== now.main ||
    before.why !== now.why ||
    before.attempts !== now.attempts ||
    before.health.consecutiveFailures !== now.health.consecutiveFailures
  );
}

/** Whether a successor would need to know of a step. Most steps are probes of healthy VMs, and change nothing of that. */
function isWorthNoting(before: Vm, now: Vm): boolean {
  return (
    before.phase !== now.phase ||
    before.main !== now.main ||
    before.loss !== now.loss ||
    before.openAttempt !== now.openAttempt ||
    before.attempts !== now.attempts ||
    before.incarnation !== now.incarnation ||
    before.exitedForContent !== now.exitedForContent ||
    before.migratedForContent !== now.migratedForContent
  );
}
