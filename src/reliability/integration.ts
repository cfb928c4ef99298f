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

import { withDeadline } from "../async/deadline.ts";
import type { Policy } from "../domain/policy.ts";
import type { RuntimeState } from "../domain/runtime_state.ts";
import { after } from "../domain/time.ts";
import type { VmId, VmRecord } from "../domain/vm_record.ts";
import type { ControlRequest } from "../ports/control.ts";
import { brakeDueAt } from "../recovery/brake.ts";
import { Acts } from "./acts.ts";
import type { Dependencies } from "./dependencies.ts";
import { Fleet, type LockGuard } from "./fleet.ts";
import { fleetGauges } from "./fleet_gauges.ts";
import { hostStatus } from "./host_status.ts";
import { Lookout } from "./lookout.ts";
import { Memory } from "./memory.ts";
import { NEVER } from "./never.ts";
import { RegistryReader } from "./registry_reader.ts";
import type { TrackedVm } from "./tracked_vm.ts";

/** How the subsystem ended. */
export type ReliabilityEnd =
  | { readonly kind: "stopped" }
  | { readonly kind: "locked"; readonly detail: string }
  | { readonly kind: "lock_unavailable"; readonly error: string };

/** An idle loop turns at least this often, so that the watchdog can tell idle from hung. */
const IDLE_TURN_MS = 10_000;
const HOLDINGS_REFRESH_MS = 5_000;
const HOLDINGS_AGAIN_MS = 50;
/** When the agent stops: for acts to reach a safe point, and for what is known to reach the disk, in this order. */
const ENDS_WITHIN_MS = 4_500;
const SAVE_RESERVE_MS = 500;
const STATUS_INTERVAL_MS = 1_000;
const STATUS_HEARTBEAT_MS = 60_000;
const LATE_TURN_MS = 1_000;
const LATE_REPORT_INTERVAL_MS = 60_000;

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
  const lost = new AbortController();
  const guard = {
    isHeld: () => lock.isHeld(),
    lose: () => lost.abort(),
  };
  try {
    const alarm = new Alarm();
    await (await Loop.restored(deps, policy, AbortSignal.any([signal, lost.signal]), alarm, guard)).run();
    if (!lost.signal.aborted) return { kind: "stopped" };
    return { kind: "lock_unavailable", error: "Cannot go on as the lock must stay in place: somebody removed it" };
  } finally {
    lock.release();
  }
}

/** How those beside the loop reach it: to wake it, or to end it with a bug. */
class Alarm {
  wake: () => void = () => undefined;
  fail: (error: unknown) => void = () => undefined;
}

class Loop {
  readonly #deps: Dependencies;
  readonly #signal: AbortSignal;
  readonly #alarm: Alarm;
  readonly #fleet: Fleet;
  readonly #lookout: Lookout;
  readonly #acts: Acts;
  readonly #reader: RegistryReader;
  #holdingsAt: number = 0;
  #lateSaidAt: number = Number.NEGATIVE_INFINITY;
  #refreshingHoldings = false;
  #hasLooked = false;
  #publishedAt: number = Number.NEGATIVE_INFINITY;
  #publishedRevision = -1;
  #status = "";

  private constructor(
    fleet: Fleet,
    lastGood: ReadonlyMap<VmId, VmRecord>,
    lookout: Lookout,
    signal: AbortSignal,
    alarm: Alarm,
  ) {
    this.#deps = fleet.deps;
    this.#signal = signal;
    this.#alarm = alarm;
    this.#fleet = fleet;
    this.#lookout = lookout;
    this.#acts = new Acts(fleet, lookout);
    this.#reader = new RegistryReader(fleet, lastGood, () => {
      lookout.sweepAt = 0;
    });
  }

  /** A loop that knows what an earlier agent of this boot left. */
  static async restored(
    deps: Dependencies,
    policy: Policy,
    signal: AbortSignal,
    alarm: Alarm,
    guard: LockGuard,
  ): Promise<Loop> {
    const { stateStore } = deps;
    const [loaded, lastGood, startedOnce] = await Promise.all([
      stateStore.load(),
      stateStore.loadLastGood(),
      stateStore.loadStartedOnce(),
    ]);
    const memory = new Memory(stateStore, deps.report, deps.processTable.bootId);
    memory.restore(loaded.host);
    // A clean stop is followed by a start that somebody asked for: the operator's "try now".
    const tryNow = loaded.host?.cleanStop === true;
    const rememberedVms = tryNow
      ? new Map([...loaded.vms].map(([id, state]) => [id, forgiven(state)] as const))
      : loaded.vms;
    if (tryNow) await memory.saveHost(false);
    const fleet: Fleet = new Fleet(deps, memory, {
      policy,
      rememberedVms,
      startedOnce,
      onExitNotice: (tracked) => lookout.exitNoticed(tracked),
      guard,
      wake: () => alarm.wake(),
      fail: (error) => alarm.fail(error),
    });
    const lookout = new Lookout(fleet);
    return new Loop(fleet, lastGood, lookout, signal, alarm);
  }

  async run(): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#alarm.fail = reject;
    });
    // Nobody may listen any more when a late task fails.
    failed.catch(() => undefined);
    const { registry, intent, control, fleetObserver } = this.#deps;
    const ends = [
      fleetObserver.attach(() =>
        fleetGauges({
          fleet: this.#fleet,
          registryReadAt: this.#reader.lastSuccessAt,
          strayProcesses: this.#lookout.strayCount,
        }),
      ),
      registry.watch((id) => this.#reader.hint(id)),
      intent.watch(() => {
        this.#holdingsAt = 0;
        this.#alarm.wake();
      }),
      control.subscribe((request) => this.#controlled(request)),
    ];
    try {
      await Promise.race([this.#turns(), failed]);
      await this.#end();
    } finally {
      for (const end of ends) end();
      for (const tracked of this.#fleet.tracked.values()) tracked.unwatch?.();
    }
  }

  async #turns(): Promise<void> {
    const { clock, notify, report, version, launcher } = this.#deps;
    await this.#lookFirst();
    if (this.#signal.aborted) return;
    const vms = [...this.#fleet.tracked.values()];
    const adopted = vms.filter((tracked) => tracked.vm.main !== undefined).length;
    report({ type: "subsystem_started", version, launcher: launcher.kind, vms: vms.length, adopted });
    notify.ready();
    this.#signal.addEventListener("abort", () => this.#alarm.wake(), { once: true });
    while (!this.#signal.aborted) {
      await this.#lookFirst();
      if (this.#fleet.policy.enabled) this.#turn();
      this.#publishStatus();
      notify.alive();
      const now = clock.monotonic();
      await this.#untilWoken(Math.max(now, Math.min(this.#nextAt(), now + IDLE_TURN_MS)));
    }
  }

  /** Takes stock before the first turn in which the agent is enabled. */
  async #lookFirst(): Promise<void> {
    if (this.#hasLooked || !this.#fleet.policy.enabled) return;
    this.#hasLooked = true;
    await this.#unlessAborted(this.#firstLook());
  }

  /** Waits for a task, but not longer than the agent is to run. */
  async #unlessAborted(task: Promise<void>): Promise<void> {
    const aborted = new Promise<void>((resolve) => {
      if (this.#signal.aborted) resolve();
      else this.#signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([task, aborted]);
  }

  async #firstLook(): Promise<void> {
    await this.#reader.readRegistry(undefined);
    await this.#refreshHoldings();
    await Promise.all([...this.#fleet.tracked.values()].map((tracked) => this.#lookout.recallDeath(tracked)));
    await this.#lookout.sweep();
  }

  #turn(): void {
    const now = this.#deps.clock.monotonic();
    const fleet = this.#fleet;
    this.#reader.turn(now);
    if (now >= this.#holdingsAt) {
      this.#holdingsAt = NEVER;
      fleet.background(this.#refreshHoldings());
    }
    this.#lookout.turn(now);
    for (let id = fleet.due.take(now); id !== undefined; id = fleet.due.take(now)) {
      const tracked = fleet.tracked.get(id);
      if (tracked !== undefined) this.#lookout.takeUp(tracked, now);
    }
    fleet.minds(now);
    if (this.#lookout.rush.endsAt(now) === undefined) this.#acts.admit(now);
  }

  /** When something is due next; `Infinity`: nothing is. */
  #nextAt(): number {
    const { policy, due, brake } = this.#fleet;
    if (!policy.enabled) return this.#statusDueAt();
    return Math.min(
      this.#statusDueAt(),
      due.nextAt ?? NEVER,
      this.#reader.nextAt,
      this.#holdingsAt,
      this.#lookout.nextAt,
      this.#lookout.rush.endsAt(this.#deps.clock.monotonic()) ?? NEVER,
      brakeDueAt(brake, policy.recovery.brake) ?? NEVER,
    );
  }

  async #untilWoken(at: number): Promise<void> {
    const { clock, report } = this.#deps;
    const due = after(clock.monotonic(), Math.max(0, at - clock.monotonic()));
    let byTimer = false;
    await new Promise<void>((resolve) => {
      const end = () => {
        cancel();
        this.#alarm.wake = () => undefined;
        resolve();
      };
      const cancel = clock.schedule(due, () => {
        byTimer = true;
        end();
      });
      this.#alarm.wake = end;
    });
    const now = clock.monotonic();
    const lagMs = now - due;
    if (byTimer && lagMs >= LATE_TURN_MS && now >= this.#lateSaidAt + LATE_REPORT_INTERVAL_MS) {
      this.#lateSaidAt = now;
      report({ type: "event_loop_late", lagMs });
    }
  }

  async #refreshHoldings(): Promise<void> {
    const { holdings, policy, tracked } = this.#fleet;
    if (this.#refreshingHoldings) {
      // An older reading must not win over a newer one.
      this.#holdingsAt = this.#deps.clock.monotonic() + HOLDINGS_AGAIN_MS;
      return;
    }
    this.#refreshingHoldings = true;
    try {
      if (await holdings.refresh()) this.#fleet.revision += 1;
    } finally {
      this.#refreshingHoldings = false;
    }
    for (const each of tracked.values()) this.#judgeHolding(each);
    // Which VMs there are is not known of a registry that is not believed.
    if (this.#reader.unreadable === undefined) holdings.sayVoid((id) => tracked.has(id));
    const now = this.#deps.clock.monotonic();
    // The end of an expiry is no event, so what exists is looked at again soon.
    const waitMs = holdings.isEmpty ? policy.recovery.detectionIntervalMs : HOLDINGS_REFRESH_MS;
    this.#holdingsAt = Math.min(this.#holdingsAt, now + waitMs);
    this.#alarm.wake();
  }

  #judgeHolding(tracked: TrackedVm): void {
    const { holdings } = this.#fleet;
    const was = tracked.holding;
    tracked.holding = holdings.of(tracked.id);
    holdings.say(tracked.id, tracked.holding);
    if (was.reason !== tracked.holding.reason) this.#fleet.revision += 1;
    if (was.held === tracked.holding.held) return;
    this.#fleet.revision += 1;
    this.#fleet.reschedule(tracked);
  }

  #controlled(request: ControlRequest): void {
    const fleet = this.#fleet;
    if (request.kind === "reload") {
      fleet.policy = request.policy;
      for (const tracked of fleet.tracked.values()) tracked.apply(fleet.policy, tracked.record);
      this.#acts.abortForbidden();
      this.#deps.report({ type: "configuration_reloaded", changed: request.changed });
    } else {
      this.#sayStates();
      // Only what was disputed can be confirmed: not what happens to the registry a moment later.
      this.#reader.believeRegistry = this.#reader.unreadable !== undefined;
    }
    this.#reader.listAt = 0;
    this.#holdingsAt = 0;
    this.#lookout.sweepAt = 0;
    for (const tracked of fleet.tracked.values()) fleet.reschedule(tracked);
    this.#alarm.wake();
  }

  #sayStates(): void {
    const now = this.#deps.clock.monotonic();
    for (const { id, record, vm, holding } of this.#fleet.tracked.values()) {
      this.#deps.report({
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

  /** On change, at most once a second; and now and then, so that an old status tells of a hung agent. */
  #publishStatus(): void {
    const now = this.#deps.clock.monotonic();
    if (now < this.#statusDueAt()) return;
    this.#publishedAt = now;
    this.#publishedRevision = this.#fleet.revision;
    this.#deps.statusBoard.publish(hostStatus(this.#fleet, this.#reader));
    this.#sayStatus();
  }

  #statusDueAt(): number {
    const changed = this.#fleet.revision !== this.#publishedRevision;
    return this.#publishedAt + (changed ? STATUS_INTERVAL_MS : STATUS_HEARTBEAT_MS);
  }

  #sayStatus(): void {
    const { acts, brake, expected, healthy } = this.#fleet;
    const braked = brake.engaged ? ", mass failure brake engaged" : "";
    const text = `${healthy.size} of ${expected.size} VMs healthy, ${acts.size} acts under way${braked}`;
    if (text === this.#status) return;
    this.#status = text;
    this.#deps.notify.status(text);
  }

  async #end(): Promise<void> {
    const { clock, notify, report } = this.#deps;
    const { memory, tracked } = this.#fleet;
    notify.stopping();
    report({ type: "subsystem_stopping", vms: tracked.size });
    this.#fleet.isEnding = true;
    // Another agent may be at work by now, and what is on disk is its own.
    if (!this.#fleet.holdsLock()) return;
    const endsAt = after(clock.monotonic(), ENDS_WITHIN_MS);
    const leftMs = (reservedMs: number) => Math.max(0, endsAt - clock.monotonic() - reservedMs);
    // An act that does not end in time leaves its intent on disk, and its successor finds it.
    await withDeadline(clock, leftMs(2 * SAVE_RESERVE_MS), this.#acts.end());
    this.#fleet.isSealed = true;
    await withDeadline(clock, leftMs(SAVE_RESERVE_MS), memory.flush());
    await withDeadline(clock, leftMs(0), memory.saveHost(true));
  }
}

/** What an operator's restart forgives: the attempts, and with them the wait. */
function forgiven(state: RuntimeState): RuntimeState {
  return { ...state, attempts: 0, retryAt: undefined, failed: false };
}
