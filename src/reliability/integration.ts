/**
 * The reliability loop: looks at the world, lets the rules decide, and has their decisions carried out beside it.
 *
 *     registry -> watch -> probe -> verdict -> orphan -> decision -> act -> report
 *
 * It is level-triggered. Events (a process exit, a changed file, a timer) only wake it for one VM; what it does follows from what it
 * then sees, and a sweep repairs every event that was lost. Due VMs come from an ordered queue, so a turn costs what is due and not
 * what exists. It has no rule of its own: those are in `health` and `recovery`.
 * @module
 */

import { BoundedPool } from "../async/bounded_pool.ts";
import { TIMED_OUT, withDeadline } from "../async/deadline.ts";
import { DueQueue } from "../async/due_queue.ts";
import type { BlockedReason, DetectionSource, ReliabilityEvent } from "../domain/event.ts";
import type { Policy } from "../domain/policy.ts";
import type { ProcessFacts } from "../domain/process.ts";
import { sameProcess } from "../domain/process.ts";
import type { RuntimeState } from "../domain/runtime_state.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import type { VmId, VmRecord } from "../domain/vm_record.ts";
import { probe } from "../health/probe.ts";
import type { ControlRequest } from "../ports/control.ts";
import type { ReadRecord } from "../ports/registry.ts";
import type { ActWorld, LaunchMemory } from "../recovery/act.ts";
import type { AdmissionClass, Candidate } from "../recovery/admission.ts";
import { admit } from "../recovery/admission.ts";
import type { Brake } from "../recovery/brake.ts";
import { brakeDueAt, nextBrake, RELEASED } from "../recovery/brake.ts";
import { effectivePolicy } from "../recovery/effective_policy.ts";
import { mainOf } from "../recovery/fence.ts";
import { readFreshIntent } from "../recovery/fresh_intent.ts";
import { FirstReadings } from "../recovery/holding.ts";
import type { Observation } from "../recovery/observation.ts";
import { isSuspicion } from "../recovery/orphan.ts";
import type { VmProcesses } from "../recovery/ownership.ts";
import { attribute, isLeftOver, NO_PROCESSES, socketArgument, vmmOf } from "../recovery/ownership.ts";
import { restart } from "../recovery/restart.ts";
import { stop } from "../recovery/stop.ts";
import type { Situation } from "../recovery/vm.ts";
import { isPhase, rememberedOf } from "../recovery/vm.ts";
import { nextVm } from "../recovery/vm_recovery.ts";
import type { Work } from "../recovery/work_wanted.ts";
import { workWanted } from "../recovery/work_wanted.ts";
import type { Dependencies } from "./dependencies.ts";
import { Holdings } from "./holdings.ts";
import type { Inventory, InventoryChange } from "./inventory.ts";
import { EMPTY_INVENTORY, launchDifferences, mergeEntries, mergeListing } from "./inventory.ts";
import { Memory } from "./memory.ts";
import { Scanner } from "./scanner.ts";
import { firstProbeAt, probePeriodMs, TrackedVm } from "./tracked_vm.ts";

/** How the subsystem ended. */
export type ReliabilityEnd =
  | { readonly kind: "stopped" }
  | { readonly kind: "locked"; readonly detail: string }
  | { readonly kind: "lock_unavailable"; readonly error: string };

/** An idle loop turns at least this often, so that the watchdog can tell idle from hung. */
const IDLE_TURN_MS = 10_000;
/** Hints that come together are read together. */
const HINT_GATHER_MS = 50;
/** More single records than this are read as a whole listing. */
const HINTS_MAX = 16;
/** A sweep or a listing that failed is tried again after this. */
const RETRY_LOOK_MS = 5_000;
const HOLDINGS_REFRESH_MS = 5_000;
const PROBES_AT_ONCE = 256;
/** VMs that are probed before force is used, so that the brake can see. */
const BYSTANDERS_MAX = 64;
const SOCKET_GLANCE_MS = 1_000;
/** Acts end at a safe point within this when the agent stops. */
const STOP_WITHIN_MS = 4_000;
const LATE_TURN_MS = 1_000;
const LATE_REPORT_INTERVAL_MS = 60_000;
const MILLISECONDS_OF_NEVER = Number.POSITIVE_INFINITY;

/**
 * Keeps the VMs of a host alive until `signal` aborts.
 *
 * @returns how it ended; a promise that is rejected tells of a bug
 */
export async function runReliability(deps: Dependencies, policy: Policy, signal: AbortSignal): Promise<ReliabilityEnd> {
  const { version, launcher } = deps;
  deps.report({ type: "subsystem_starting", version, launcher: launcher.kind });
  const lock = await deps.instanceLock.acquire();
  if (lock.kind === "held_by_another") return { kind: "locked", detail: lock.detail };
  if (lock.kind === "unavailable") return { kind: "lock_unavailable", error: lock.error };
  try {
    await new Loop(deps, policy, signal).run();
    return { kind: "stopped" };
  } finally {
    lock.release();
  }
}

class Loop {
  readonly #deps: Dependencies;
  readonly #signal: AbortSignal;
  readonly #scanner: Scanner;
  readonly #memory: Memory;
  readonly #readings = new FirstReadings();
  readonly #holdings: Holdings;
  readonly #probes = new BoundedPool(PROBES_AT_ONCE);
  readonly #due = new DueQueue();
  readonly #tracked = new Map<VmId, TrackedVm>();
  /** VMs whose work is due and waits for a slot. */
  readonly #waiting = new Set<TrackedVm>();
  /** Acts under way, by VM; one outlives its VM's record, and no other may begin until it has ended. */
  readonly #acts = new Map<VmId, TrackedVm>();
  readonly #actEnds = new Set<Promise<void>>();
  readonly #diskClaims = new Map<VmId, readonly string[]>();
  readonly #expected = new Set<VmId>();
  readonly #suspects = new Set<VmId>();
  readonly #strays = new Set<string>();
  readonly #hints = new Set<VmId>();
  #policy: Policy;
  #inventory: Inventory = EMPTY_INVENTORY;
  #rememberedVms: ReadonlyMap<VmId, RuntimeState> = new Map();
  #startedOnce: ReadonlyMap<VmId, string> = new Map();
  #brake: Brake = RELEASED;
  #sweepAt: number = 0;
  #listAt: number = 0;
  #holdingsAt: number = 0;
  #hintsAt: number = MILLISECONDS_OF_NEVER;
  #believeRegistry = false;
  #sweeping = false;
  #reading = false;
  #started = false;
  #stopping = false;
  #lateSaidAt: number = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => undefined;
  #fail: (error: unknown) => void = () => undefined;
  #status = "";

  constructor(deps: Dependencies, policy: Policy, signal: AbortSignal) {
    this.#deps = deps;
    this.#policy = policy;
    this.#signal = signal;
    this.#scanner = new Scanner(deps.processTable);
    this.#memory = new Memory(deps.stateStore, deps.report, deps.processTable.bootId);
    this.#holdings = new Holdings(deps, this.#readings);
  }

  async run(): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    // Nobody may listen any more when a late task fails.
    failed.catch(() => undefined);
    const { registry, intent, control } = this.#deps;
    await this.#restore();
    const ends = [
      registry.watch((id) => this.#hint(id)),
      intent.watch(() => {
        this.#holdingsAt = 0;
        this.#wake();
      }),
      control.subscribe((request) => this.#controlled(request)),
    ];
    try {
      await Promise.race([this.#turns(), failed]);
      await this.#end();
    } finally {
      for (const end of ends) end();
      for (const tracked of this.#tracked.values()) tracked.unwatch?.();
    }
  }

  async #restore(): Promise<void> {
    const { stateStore } = this.#deps;
    const [loaded, lastGood, startedOnce] = await Promise.all([
      stateStore.load(),
      stateStore.loadLastGood(),
      stateStore.loadStartedOnce(),
    ]);
    this.#memory.restore(loaded.host);
    this.#startedOnce = startedOnce;
    // A clean stop is followed by a start that somebody asked for: the operator's "try now".
    const tryNow = loaded.host?.cleanStop === true;
    this.#rememberedVms = tryNow ? new Map([...loaded.vms].map(([id, state]) => [id, forgiven(state)])) : loaded.vms;
    if (tryNow) await this.#memory.saveHost(false);
    // What was last known to be right is the measure of what the registry has lost meanwhile.
    this.#inventory = { ...EMPTY_INVENTORY, records: lastGood };
    for (const record of lastGood.values()) this.#track(record);
  }

  async #turns(): Promise<void> {
    const { clock, notify } = this.#deps;
    if (this.#policy.enabled) await this.#firstLook();
    const adopted = [...this.#tracked.values()].filter((tracked) => tracked.vm.main !== undefined).length;
    const { version, launcher } = this.#deps;
    this.#deps.report({
      type: "subsystem_started",
      version,
      launcher: launcher.kind,
      vms: this.#tracked.size,
      adopted,
    });
    this.#started = true;
    notify.ready();
    while (!this.#signal.aborted) {
      if (this.#policy.enabled) this.#turn();
      this.#sayStatus();
      notify.alive();
      const now = clock.monotonic();
      await this.#untilWoken(Math.max(now, Math.min(this.#nextAt(), now + IDLE_TURN_MS)));
    }
  }

  async #firstLook(): Promise<void> {
    await this.#readRegistry(undefined);
    await this.#refreshHoldings();
    await Promise.all([...this.#tracked.values()].map((tracked) => this.#recallDeath(tracked)));
    await this.#sweep();
  }

  /** Whether the main that an earlier agent knew has died since: then what is left of its launch is no VM. */
  async #recallDeath(tracked: TrackedVm): Promise<void> {
    const { remembered } = tracked;
    if (remembered === undefined || remembered.launchIntent !== undefined) return;
    const dead =
      remembered.main === undefined || (await this.#deps.processTable.inspect(remembered.main)).kind === "dead";
    if (dead) tracked.vm = { ...tracked.vm, deadIncarnation: remembered.incarnation };
  }

  #turn(): void {
    const now = this.#deps.clock.monotonic();
    if (now >= this.#listAt && !this.#reading) this.#background(this.#readRegistry(undefined));
    else if (now >= this.#hintsAt && !this.#reading) this.#background(this.#readRegistry(this.#takeHints()));
    if (now >= this.#holdingsAt) {
      this.#holdingsAt = MILLISECONDS_OF_NEVER;
      this.#background(this.#refreshHoldings());
    }
    if (now >= this.#sweepAt && !this.#sweeping) this.#background(this.#sweep());
    for (let id = this.#due.take(now); id !== undefined; id = this.#due.take(now)) {
      const tracked = this.#tracked.get(id);
      if (tracked !== undefined) this.#takeUp(tracked, now);
    }
    this.#minds(now);
    this.#admit(now);
  }

  /** When something is due next; `Infinity`: nothing is. */
  #nextAt(): number {
    if (!this.#policy.enabled) return MILLISECONDS_OF_NEVER;
    return Math.min(
      this.#due.nextAt ?? MILLISECONDS_OF_NEVER,
      this.#reading ? MILLISECONDS_OF_NEVER : Math.min(this.#listAt, this.#hintsAt),
      this.#holdingsAt,
      this.#sweeping ? MILLISECONDS_OF_NEVER : this.#sweepAt,
      brakeDueAt(this.#brake, this.#policy.recovery.brake) ?? MILLISECONDS_OF_NEVER,
    );
  }

  async #untilWoken(at: number): Promise<void> {
    const { clock, report } = this.#deps;
    const due = after(clock.monotonic(), Math.max(0, at - clock.monotonic()));
    let byTimer = false;
    await new Promise<void>((resolve) => {
      const end = () => {
        cancel();
        this.#signal.removeEventListener("abort", end);
        this.#wake = () => undefined;
        resolve();
      };
      const cancel = clock.schedule(due, () => {
        byTimer = true;
        end();
      });
      this.#wake = end;
      this.#signal.addEventListener("abort", end, { once: true });
      if (this.#signal.aborted) end();
    });
    const now = clock.monotonic();
    const lagMs = now - due;
    if (byTimer && lagMs >= LATE_TURN_MS && now >= this.#lateSaidAt + LATE_REPORT_INTERVAL_MS) {
      this.#lateSaidAt = now;
      report({ type: "event_loop_late", lagMs });
    }
  }

  // Registry and intent.

  #hint(id: VmId | undefined): void {
    if (id === undefined || this.#hints.size >= HINTS_MAX) this.#listAt = 0;
    else this.#hints.add(id);
    if (this.#hintsAt === MILLISECONDS_OF_NEVER) this.#hintsAt = this.#deps.clock.monotonic() + HINT_GATHER_MS;
    this.#wake();
  }

  #takeHints(): readonly VmId[] {
    const ids = [...this.#hints];
    this.#hints.clear();
    this.#hintsAt = MILLISECONDS_OF_NEVER;
    return ids;
  }

  /** Reads the named records, or all of them; a record that is gone is believed only of a whole listing. */
  async #readRegistry(ids: readonly VmId[] | undefined): Promise<void> {
    const { clock, registry } = this.#deps;
    this.#reading = true;
    try {
      const change = (ids === undefined ? undefined : await this.#readSome(ids)) ?? (await this.#readAll());
      this.#applyInventory(change);
      const unreadable = change.inventory.unreadable !== undefined;
      if (ids === undefined || unreadable) {
        const waitMs = unreadable ? RETRY_LOOK_MS : this.#policy.reconcileIntervalMs;
        this.#listAt = clock.monotonic() + Math.min(waitMs, this.#policy.reconcileIntervalMs);
      }
    } finally {
      this.#reading = false;
    }
    if (this.#inventory.unreadable === undefined) this.#believeRegistry = false;
    if (this.#inventory.unreadable !== undefined && registry.path === "") this.#listAt = MILLISECONDS_OF_NEVER;
    this.#wake();
  }

  async #readAll(): Promise<InventoryChange> {
    const { registry } = this.#deps;
    this.#takeHints();
    this.#listAt = MILLISECONDS_OF_NEVER;
    const believed = this.#believeRegistry;
    return mergeListing(this.#inventory, await registry.list(), registry.path, believed);
  }

  async #readSome(ids: readonly VmId[]): Promise<InventoryChange | undefined> {
    // While the registry is not believed, single records of it are not either.
    if (this.#inventory.unreadable !== undefined) return undefined;
    const entries = await Promise.all(ids.map((id) => this.#deps.registry.read(id)));
    const read = entries.filter((entry) => entry.kind === "record" || entry.kind === "invalid");
    return read.length < entries.length ? undefined : mergeEntries(this.#inventory, read);
  }

  #applyInventory(change: InventoryChange): void {
    const { registry, report, stateStore } = this.#deps;
    this.#inventory = change.inventory;
    if (change.newlyUnreadable !== undefined) report({ type: "registry_unreadable", ...change.newlyUnreadable });
    if (change.readableAgain) report({ type: "registry_readable_again", path: registry.path });
    for (const { id, path, error } of change.newlyInvalid) report({ type: "record_invalid", vmId: id, path, error });
    for (const id of change.deleted) this.#untrack(id);
    for (const { id, record } of change.created) {
      report({ type: "vm_created", vmId: id });
      this.#track(record);
    }
    for (const entry of change.changed) this.#recordRead(entry.id, entry.record);
    for (const entry of [...change.created, ...change.changed]) this.#background(this.#saveLastGood(entry));
    for (const id of change.deleted) this.#background(stateStore.forgetLastGood(id));
    if (change.created.length > 0) this.#sweepAt = 0;
  }

  async #saveLastGood({ id, source }: ReadRecord): Promise<void> {
    const saved = await this.#deps.stateStore.saveLastGood(id, source);
    if (saved.kind === "failed") this.#deps.report({ type: "state_unwritable", error: saved.error });
  }

  #recordRead(id: VmId, record: VmRecord): void {
    const tracked = this.#tracked.get(id);
    if (tracked === undefined || tracked.record.contentHash === record.contentHash) return;
    const changed = launchDifferences(tracked.record, record);
    const { desired } = tracked.record;
    tracked.apply(this.#policy, record);
    // The act serves another wish; a restart that is verifying has nothing left to lose.
    if (desired !== record.desired) tracked.act?.controller.abort();
    this.#apply(tracked, { type: "record_changed", contentChanged: true, changed });
  }

  async #refreshHoldings(): Promise<void> {
    await this.#holdings.refresh();
    for (const tracked of this.#tracked.values()) this.#judgeHolding(tracked);
    const now = this.#deps.clock.monotonic();
    // The end of an expiry is no event, so what exists is looked at again soon.
    this.#holdingsAt = this.#holdings.isEmpty
      ? now + this.#policy.recovery.detectionIntervalMs
      : now + HOLDINGS_REFRESH_MS;
    this.#wake();
  }

  #judgeHolding(tracked: TrackedVm): void {
    const was = tracked.holding;
    tracked.holding = this.#holdings.of(tracked.id);
    this.#holdings.say(tracked.id, tracked.holding);
    if (was.held === tracked.holding.held) return;
    this.#reschedule(tracked);
  }

  // Tracking.

  #track(record: VmRecord): void {
    const now = this.#deps.clock.monotonic();
    const tracked = new TrackedVm(record, this.#policy, this.#rememberedVms.get(record.id), now);
    const once = this.#startedOnce.get(record.id);
    if (record.restart === "never" && once !== undefined) tracked.vm = { ...tracked.vm, exitedForContent: once };
    this.#tracked.set(record.id, tracked);
    if (tracked.openIntent !== undefined)
      this.#diskClaims.set(
        record.id,
        record.disks.map((disk) => disk.path),
      );
    this.#count(tracked);
    tracked.holding = this.#holdings.of(record.id);
    this.#holdings.say(record.id, tracked.holding);
  }

  #untrack(id: VmId): void {
    const tracked = this.#tracked.get(id);
    if (tracked === undefined) return;
    const { main, openAttempt, loss } = tracked.vm;
    const { report, clock } = this.#deps;
    tracked.deleted = true;
    tracked.act?.controller.abort();
    tracked.unwatch?.();
    this.#tracked.delete(id);
    this.#due.delete(id);
    this.#waiting.delete(tracked);
    this.#expected.delete(id);
    this.#suspects.delete(id);
    this.#holdings.forget(id);
    if (openAttempt !== undefined) {
      report({
        type: "attempt_failed",
        vmId: id,
        recovery: loss?.reason !== undefined,
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
    if (tracked.act === undefined) this.#background(this.#memory.forget(id));
  }

  /** Lets the rules see something, and does at once what follows without waiting. */
  #apply(tracked: TrackedVm, observation: Observation): void {
    if (tracked.deleted) return;
    const now = this.#deps.clock.monotonic();
    const before = tracked.vm;
    const step = nextVm(before, observation, this.#situation(tracked, now));
    tracked.vm = step.vm;
    for (const event of step.events) this.#report(event);
    if (step.vm.main !== before.main) this.#mainChanged(tracked, now);
    if (step.vm.phase !== before.phase || observation.type === "record_changed") this.#count(tracked);
    if (tracked.act === undefined) this.#note(tracked);
    this.#reschedule(tracked);
  }

  #report(event: ReliabilityEvent): void {
    this.#deps.report(event);
  }

  #situation(tracked: TrackedVm, now: MonotonicMs): Situation {
    return {
      now,
      record: tracked.record,
      health: tracked.policy.health,
      recovery: tracked.policy.recovery,
      held: tracked.holding.held,
      leased: tracked.holding.leased,
      braked: this.#brake.engaged,
      chance: this.#deps.random.next(),
    };
  }

  #mainChanged(tracked: TrackedVm, now: MonotonicMs): void {
    const { main } = tracked.vm;
    tracked.unwatch?.();
    tracked.unwatch = undefined;
    tracked.knownSince = now;
    if (main === undefined) return;
    tracked.spread = false;
    tracked.nextProbeAt = firstProbeAt(tracked, now, this.#deps.random.next());
    tracked.unwatch = this.#deps.processEvents.watch(main.identity, () => {
      if (tracked.vm.main !== undefined && sameProcess(tracked.vm.main.identity, main.identity)) {
        this.#background(this.#lookAtMain(tracked, "event"));
      }
    });
  }

  #note(tracked: TrackedVm): void {
    // Before the first look, what is known of a VM is what is on disk already.
    if (tracked.vm.phase.name === "pending" && !tracked.vm.phase.looked) return;
    const launchIntent = tracked.openIntent?.intent;
    this.#memory.note(tracked.id, { ...rememberedOf(tracked.vm, this.#deps.processTable.bootId), launchIntent });
  }

  #count(tracked: TrackedVm): void {
    const { id, record, vm } = tracked;
    if (record.desired === "running") this.#expected.add(id);
    else this.#expected.delete(id);
    const reason = vm.loss?.reason;
    const waitsForForce = vm.phase.name === "orphaned" && reason !== undefined && isSuspicion(reason);
    if (record.desired === "running" && (isPhase(vm, "suspect", "blocked") || waitsForForce)) this.#suspects.add(id);
    else this.#suspects.delete(id);
  }

  /** Decides when this VM is looked at next, and whether it waits for a slot. */
  #reschedule(tracked: TrackedVm): void {
    if (tracked.deleted || !this.#policy.enabled) return;
    const now = this.#deps.clock.monotonic();
    const work = this.#workOf(tracked, now);
    let at: number = MILLISECONDS_OF_NEVER;
    if (work !== undefined && work.dueAt <= now) {
      if (!this.#waiting.has(tracked)) {
        this.#waiting.add(tracked);
        this.#wake();
      }
    } else {
      this.#waiting.delete(tracked);
      if (work !== undefined) at = work.dueAt;
    }
    if (this.#mayProbe(tracked)) at = Math.min(at, tracked.nextProbeAt);
    if (at === MILLISECONDS_OF_NEVER) {
      this.#due.delete(tracked.id);
      return;
    }
    const next = this.#due.nextAt;
    this.#due.set(tracked.id, after(now, at - now));
    if (next === undefined || at < next) this.#wake();
  }

  #workOf(tracked: TrackedVm, now: MonotonicMs): Work | undefined {
    if (tracked.act !== undefined || this.#acts.has(tracked.id)) return undefined;
    return workWanted(tracked.vm, this.#situation(tracked, now));
  }

  #mayProbe(tracked: TrackedVm): boolean {
    return tracked.vm.main !== undefined && !tracked.probing && tracked.act === undefined;
  }

  #takeUp(tracked: TrackedVm, now: MonotonicMs): void {
    if (this.#mayProbe(tracked) && tracked.nextProbeAt <= now) this.#background(this.#probe(tracked));
    else this.#reschedule(tracked);
  }

  // Looking.

  async #probe(tracked: TrackedVm): Promise<void> {
    const { main } = tracked.vm;
    if (main === undefined || tracked.probing) return;
    tracked.probing = true;
    const { health } = tracked.policy;
    const startedAt = this.#deps.clock.monotonic();
    const { result, durationMs } = await this.#probes.run(() =>
      probe(this.#deps, {
        id: tracked.id,
        process: main.identity,
        runsWith: main.runsWith,
        guest: tracked.record.guest,
        asksApi: health.enabled,
        timeoutMs: health.timeoutMs,
      }),
    );
    tracked.probing = false;
    // An act that began meanwhile looks for itself.
    if (tracked.act !== undefined || tracked.deleted || !this.#policy.enabled) return;
    if (result.kind === "dead") {
      await this.#lookAtMain(tracked, "sweep");
      return;
    }
    this.#apply(tracked, { type: "probed", identity: main.identity, result, durationMs });
    if (tracked.vm.main === undefined || !sameProcess(tracked.vm.main.identity, main.identity)) return;
    const periodMs = probePeriodMs(tracked);
    const share = tracked.spread || tracked.vm.phase.name !== "healthy" ? 1 : this.#deps.random.next();
    if (tracked.vm.phase.name === "healthy") tracked.spread = true;
    tracked.nextProbeAt = after(startedAt, Math.max(1, periodMs * share));
    this.#reschedule(tracked);
  }

  /** Whether the known main process still lives: an event was only a reason to ask. */
  async #lookAtMain(tracked: TrackedVm, detect: DetectionSource): Promise<void> {
    const { clock, launcher, processTable, vmm } = this.#deps;
    const { main } = tracked.vm;
    if (main === undefined || tracked.act !== undefined || tracked.looking || tracked.deleted) return;
    const noticedAt = clock.monotonic();
    tracked.looking = true;
    try {
      const seen = await processTable.inspect(main.identity);
      if (seen.kind === "zombie_leader") {
        this.#applyLook(tracked, { type: "looked", look: { kind: "zombie_leader", main, liveTasks: seen.liveTasks } });
        return;
      }
      if (seen.kind !== "dead") return;
      const { socket } = main.runsWith;
      const [exit, served] = await Promise.all([
        launcher.exitOf(tracked.id, main.identity),
        socket === undefined ? "missing" : vmm.socketState(socket, SOCKET_GLANCE_MS),
      ]);
      if (tracked.vm.main === undefined || !sameProcess(tracked.vm.main.identity, main.identity)) return;
      const how =
        exit?.code !== undefined
          ? `exited with code ${exit.code}`
          : exit?.signal
            ? `was ended by ${exit.signal}`
            : "is gone";
      const { lastWellAt } = tracked.vm;
      const sinceWellMs = lastWellAt === undefined ? undefined : clock.monotonic() - lastWellAt;
      this.#applyLook(tracked, {
        type: "looked",
        look: {
          kind: "dead",
          exit,
          socketServed: served === "accepts",
          remnants: 0,
          evidence: `process ${main.identity.pid} ${how}`,
          detect,
          detectionDelayMs: detect === "event" ? clock.monotonic() - noticedAt : sinceWellMs,
        },
      });
    } finally {
      tracked.looking = false;
    }
  }

  #applyLook(tracked: TrackedVm, observation: Extract<Observation, { type: "looked" }>): void {
    if (tracked.act === undefined && this.#policy.enabled) this.#apply(tracked, observation);
  }

  /** Looks at every process of the host once, and at every VM with it: what repairs lost events. */
  async #sweep(): Promise<void> {
    const { clock } = this.#deps;
    this.#sweeping = true;
    this.#sweepAt = MILLISECONDS_OF_NEVER;
    let waitMs = RETRY_LOOK_MS;
    try {
      const scan = await this.#scanner.scan();
      if (scan.kind === "unknown") return;
      waitMs = this.#policy.recovery.detectionIntervalMs;
      const records = [...this.#tracked.values()].map((tracked) => tracked.record);
      const attribution = attribute(records, scan.processes, this.#deps);
      await Promise.all(
        [...this.#tracked.values()].map((tracked) =>
          this.#lookInScan(tracked, attribution.of.get(tracked.id) ?? NO_PROCESSES, scan.startedAt),
        ),
      );
      this.#sayStrays(attribution.strays);
    } finally {
      this.#sweeping = false;
      this.#sweepAt = Math.min(this.#sweepAt, clock.monotonic() + waitMs);
      this.#wake();
    }
  }

  async #lookInScan(tracked: TrackedVm, processes: VmProcesses, scannedAt: MonotonicMs): Promise<void> {
    if (tracked.act !== undefined || tracked.knownSince > scannedAt) return;
    const { owned } = processes;
    const mains = processes.mains.filter((main) => !isLeftOver(main, tracked.vm.deadIncarnation));
    const [facts] = mains;
    const known = tracked.vm.main;
    if (mains.length > 1) {
      const look = { kind: "duplicate" as const, mains: mains.map((main) => main.identity) };
      this.#applyLook(tracked, { type: "looked", look });
      return;
    }
    if (facts !== undefined) {
      await this.#sawMain(tracked, facts);
      return;
    }
    if (known !== undefined) {
      await this.#lookAtMain(tracked, "sweep");
      return;
    }
    const unlooked = tracked.vm.phase.name === "pending" && !tracked.vm.phase.looked;
    const duplicate = tracked.vm.phase.name === "blocked" && tracked.vm.phase.reason === "duplicate";
    if (!unlooked && !duplicate) return;
    if (await this.#adoptRemembered(tracked)) return;
    const { socket } = tracked.record;
    const served = socket === undefined ? "missing" : await this.#deps.vmm.socketState(socket, SOCKET_GLANCE_MS);
    if (tracked.knownSince > scannedAt || tracked.vm.main !== undefined) return;
    this.#applyLook(tracked, {
      type: "looked",
      look: {
        kind: "dead",
        exit: undefined,
        socketServed: served === "accepts",
        remnants: owned.length,
        evidence: owned.length > 0 ? `no main process, ${owned.length} others of it` : "no process of it",
        detect: "sweep",
        detectionDelayMs: undefined,
      },
    });
  }

  async #sawMain(tracked: TrackedVm, facts: ProcessFacts): Promise<void> {
    const { clock, processTable } = this.#deps;
    const known = tracked.vm.main;
    const same = known !== undefined && sameProcess(known.identity, facts.identity);
    const main = same ? known : this.#mainFrom(tracked, facts, clock.monotonic());
    if (facts.state === "Z" || facts.state === "X") {
      const look = { kind: "zombie_leader" as const, main, liveTasks: facts.liveTasks };
      this.#applyLook(tracked, { type: "looked", look });
      return;
    }
    if (same && !isPhase(tracked.vm, "blocked", "unfenceable")) return;
    const previous = same || known === undefined ? undefined : await processTable.inspect(known.identity);
    if (tracked.vm.main !== known) return;
    const previousMainDead = previous?.kind === "dead";
    this.#applyLook(tracked, { type: "looked", look: { kind: "running", main, previousMainDead } });
  }

  /** A process that an earlier agent watched under an older record is still the VM's, though the new record does not describe it. */
  async #adoptRemembered(tracked: TrackedVm): Promise<boolean> {
    const { clock, processTable } = this.#deps;
    const identity = tracked.remembered?.main;
    if (identity === undefined || tracked.vm.phase.name !== "pending") return false;
    const facts = await processTable.describe(identity);
    if (facts === undefined || !sameProcess(facts.identity, identity)) return false;
    const main = this.#mainFrom(tracked, facts, clock.monotonic());
    this.#applyLook(tracked, { type: "looked", look: { kind: "running", main, previousMainDead: false } });
    return true;
  }

  #mainFrom(tracked: TrackedVm, facts: ProcessFacts, now: MonotonicMs) {
    const main = mainOf(facts, tracked.record, now);
    const { remembered } = tracked;
    const runsWith = remembered?.runsWith;
    if (runsWith === undefined || remembered?.main === undefined || !sameProcess(remembered.main, facts.identity)) {
      return main;
    }
    return { ...main, runsWith };
  }

  #sayStrays(strays: readonly ProcessFacts[]): void {
    const seen = new Set<string>();
    for (const facts of strays) {
      if (facts.ageMs < this.#policy.strayMinAgeMs) continue;
      const key = `${facts.identity.pid} ${facts.identity.startTicks}`;
      seen.add(key);
      const vmm = vmmOf(facts.exe);
      if (this.#strays.has(key) || vmm === undefined) continue;
      const { identity, ageMs, argv } = facts;
      this.#report({ type: "stray_detected", process: identity, vmm, ageMs, socketPath: socketArgument(argv) });
    }
    this.#strays.clear();
    for (const key of seen) this.#strays.add(key);
  }

  // Acting.

  #admit(now: MonotonicMs): void {
    if (this.#stopping || this.#waiting.size === 0) return;
    const restarts: Candidate[] = [];
    const stops: Candidate[] = [];
    for (const tracked of this.#waiting) {
      const work = this.#workOf(tracked, now);
      if (work === undefined || work.dueAt > now) {
        this.#waiting.delete(tracked);
        this.#reschedule(tracked);
        continue;
      }
      const candidate = { id: tracked.id, priority: tracked.record.priority, waitingSince: work.waitingSince };
      if (work.kind === "stop") stops.push({ ...candidate, class: "first" });
      else restarts.push({ ...candidate, class: work.class });
    }
    const slotsMax = this.#policy.recovery.maxConcurrentRecoveries;
    for (const [kind, candidates] of [
      ["restart", restarts],
      ["stop", stops],
    ] as const) {
      const running = this.#runningClasses(kind);
      for (const { id } of admit(candidates, { slotsMax, running }, now)) {
        const tracked = this.#tracked.get(id);
        const work = tracked === undefined ? undefined : this.#workOf(tracked, now);
        if (tracked !== undefined && work !== undefined) this.#begin(tracked, work);
      }
    }
  }

  /** Stops have slots of their own: a guest that takes its time to shut down must not keep a dead one from coming back. */
  #runningClasses(kind: "restart" | "stop"): readonly AdmissionClass[] {
    const classes: AdmissionClass[] = [];
    for (const { act } of this.#acts.values()) if (act?.kind === kind) classes.push(act.class);
    return classes;
  }

  #begin(tracked: TrackedVm, work: Work): void {
    const controller = new AbortController();
    const admissionClass = work.kind === "restart" ? work.class : "first";
    tracked.act = { kind: work.kind, class: admissionClass, controller };
    this.#acts.set(tracked.id, tracked);
    this.#waiting.delete(tracked);
    const end = this.#carryOut(tracked, work, controller.signal).catch((error: unknown) => this.#fail(error));
    this.#actEnds.add(end);
    void end.then(() => this.#actEnds.delete(end));
  }

  async #carryOut(tracked: TrackedVm, work: Work, signal: AbortSignal): Promise<void> {
    const { vm, id } = tracked;
    const world = this.#worldOf(tracked, signal);
    let observation: Observation | undefined;
    if (work.kind === "stop") {
      if (vm.main === undefined) return;
      this.#apply(tracked, { type: "stop_began" });
      observation = {
        type: "stop_ended",
        outcome: await stop({ id, main: vm.main, deadIncarnation: undefined }, world),
      };
    } else {
      this.#apply(tracked, { type: "restart_began" });
      const outcome = await restart(
        {
          id,
          main: vm.main,
          deadIncarnation: vm.deadIncarnation,
          mode: work.mode,
          reason: vm.loss?.reason,
          attempts: vm.attempts,
          incarnation: vm.incarnation,
          openIntent: tracked.openIntent,
        },
        world,
      );
      observation = { type: "restart_ended", outcome };
    }
    this.#acts.delete(id);
    tracked.act = undefined;
    tracked.knownSince = this.#deps.clock.monotonic();
    if (tracked.deleted) {
      if (!this.#tracked.has(id)) await this.#memory.forget(id);
      const successor = this.#tracked.get(id);
      if (successor !== undefined) this.#reschedule(successor);
      return;
    }
    this.#apply(tracked, observation);
    const { now } = this.#situation(tracked, this.#deps.clock.monotonic());
    if (tracked.vm.phase.name === "healthy") {
      tracked.nextProbeAt = after(now, tracked.policy.health.intervalMs * this.#deps.random.next());
      tracked.spread = true;
      this.#reschedule(tracked);
    }
    this.#wake();
  }

  #worldOf(tracked: TrackedVm, signal: AbortSignal): ActWorld {
    const { clock, stateStore, processTable } = this.#deps;
    const { id } = tracked;
    return {
      ports: this.#deps,
      users: this.#deps,
      signal,
      freshIntent: async (desired) => {
        const intent = await readFreshIntent(this.#deps, id, tracked.record, desired, this.#readings);
        if (intent.record !== undefined && !tracked.deleted) this.#recordRead(id, intent.record);
        return intent;
      },
      policyFor: (record) => effectivePolicy(this.#policy, record),
      scan: () => this.#scanner.scan(),
      remember: async (memory: LaunchMemory) => {
        const foundAt = clock.monotonic();
        tracked.openIntent = memory.launchIntent === undefined ? undefined : { intent: memory.launchIntent, foundAt };
        return await this.#memory.save(id, {
          ...rememberedOf(tracked.vm, processTable.bootId),
          attempts: memory.attempts,
          incarnation: memory.incarnation,
          main: memory.main?.identity,
          runsWith: memory.main?.runsWith,
          retryAt: undefined,
          launchIntent: memory.launchIntent,
        });
      },
      rememberStartedOnce: (record) => stateStore.saveStartedOnce(id, record.contentHash),
      claimDisks: (record) => this.#claimDisks(record),
      observe: (observation) => this.#apply(tracked, observation),
      forceRefusal: () => this.#forceRefusal(tracked),
      countForcedStop: () => this.#memory.countForcedStop(clock.monotonic()),
    };
  }

  /**
   * Two VMs that name the same disk may be examined at the same instant, before either has opened it. So a disk belongs to the VM
   * that was examined first until its VMM is seen healthy, and has opened it, or is given up.
   */
  #claimDisks(record: VmRecord): VmId | undefined {
    const wanted = new Set(record.disks.filter((disk) => !disk.shared).map((disk) => disk.path));
    for (const [id, paths] of this.#diskClaims) {
      const claimant = this.#tracked.get(id) ?? this.#acts.get(id);
      const stands =
        claimant !== undefined &&
        (claimant.act !== undefined || claimant.vm.openAttempt !== undefined || claimant.openIntent !== undefined);
      if (!stands) this.#diskClaims.delete(id);
      else if (id !== record.id && paths.some((path) => wanted.has(path))) return id;
    }
    this.#diskClaims.set(record.id, [...wanted]);
    return undefined;
  }

  async #forceRefusal(tracked: TrackedVm): Promise<BlockedReason | "braked" | undefined> {
    const bystanders = [...this.#tracked.values()].filter((other) => other !== tracked && this.#mayProbe(other));
    const chosen = sample(bystanders, BYSTANDERS_MAX, () => this.#deps.random.next());
    await Promise.all(chosen.map((other) => this.#probe(other)));
    const now = this.#deps.clock.monotonic();
    this.#minds(now);
    if (this.#brake.engaged) return "braked";
    const { maxForcedStops } = this.#policy.recovery;
    return this.#memory.forcedStopsLastHour(now) >= maxForcedStops ? "forced_stops_exhausted" : undefined;
  }

  /** Minds the brake. */
  #minds(now: MonotonicMs): void {
    const suspects = { suspectVms: this.#suspects.size, totalVms: this.#expected.size };
    const before = this.#brake;
    this.#brake = nextBrake(before, suspects, now, this.#policy.recovery.brake);
    if (before.engaged === this.#brake.engaged) return;
    this.#report({ type: this.#brake.engaged ? "brake_engaged" : "brake_released", ...suspects });
    if (!this.#brake.engaged) for (const tracked of this.#tracked.values()) this.#reschedule(tracked);
  }

  // The operator, and the end.

  #controlled(request: ControlRequest): void {
    if (request.kind === "reload") {
      this.#policy = request.policy;
      for (const tracked of this.#tracked.values()) tracked.apply(this.#policy, tracked.record);
      this.#report({ type: "configuration_reloaded", changed: request.changed });
    } else {
      this.#sayStates();
      this.#believeRegistry = true;
    }
    this.#listAt = 0;
    this.#holdingsAt = 0;
    this.#sweepAt = 0;
    for (const tracked of this.#tracked.values()) this.#reschedule(tracked);
    this.#wake();
  }

  #sayStates(): void {
    const now = this.#deps.clock.monotonic();
    for (const { id, record, vm, holding } of this.#tracked.values()) {
      this.#report({
        type: "vm_state",
        vmId: id,
        desired: record.desired,
        phase: vm.phase.name,
        held: holding.held,
        vmm: record.vmm,
        process: vm.main?.identity,
        attempts: vm.attempts,
        forMs: now - vm.phase.since,
        why: vm.why,
      });
    }
  }

  #sayStatus(): void {
    let healthy = 0;
    for (const { vm } of this.#tracked.values()) if (vm.phase.name === "healthy") healthy += 1;
    const brake = this.#brake.engaged ? ", mass failure brake engaged" : "";
    const text = `${healthy} of ${this.#expected.size} VMs healthy, ${this.#acts.size} acts under way${brake}`;
    if (text === this.#status) return;
    this.#status = text;
    this.#deps.notify.status(text);
  }

  async #end(): Promise<void> {
    const { clock, notify, report } = this.#deps;
    notify.stopping();
    this.#stopping = true;
    report({ type: "subsystem_stopping", vms: this.#tracked.size });
    for (const { act } of this.#acts.values()) act?.controller.abort();
    const ended = await withDeadline(clock, STOP_WITHIN_MS, Promise.all(this.#actEnds));
    // An act that did not end in time left its intent on disk, and its successor will find it.
    if (ended !== TIMED_OUT) await withDeadline(clock, RETRY_LOOK_MS - STOP_WITHIN_MS, this.#memory.flush());
    if (this.#started) await withDeadline(clock, RETRY_LOOK_MS - STOP_WITHIN_MS, this.#memory.saveHost(true));
  }

  /** A task beside the loop. A failure of it is a bug, and a bug ends the agent: its successor rebuilds everything from the host. */
  #background(task: Promise<void>): void {
    task.catch((error: unknown) => this.#fail(error));
  }
}

/** What an operator's restart forgives: the attempts, and with them the wait. */
function forgiven(state: RuntimeState): RuntimeState {
  return { ...state, attempts: 0, retryAt: undefined, failed: false };
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
