/**
 * Looks at VMs: probes that are due, main processes of which something says that they ended, and the sweep over everything.
 *
 * What it sees goes to the rules. While an act on a VM is under way it looks away, since the act looks for itself.
 * @module
 */

import { BoundedPool } from "../async/bounded_pool.ts";
import type { DetectionSource } from "../domain/event.ts";
import type { ProcessFacts } from "../domain/process.ts";
import { sameProcess } from "../domain/process.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import { vmmOf } from "../domain/vmm.ts";
import { probe } from "../health/probe.ts";
import { mainOf } from "../recovery/fence.ts";
import type { Observation } from "../recovery/observation.ts";
import type { VmProcesses } from "../recovery/ownership.ts";
import { attribute, isLeftOver, NO_PROCESSES, socketArgument } from "../recovery/ownership.ts";
import type { Main } from "../recovery/vm.ts";
import { isPhase } from "../recovery/vm.ts";
import type { Fleet } from "./fleet.ts";
import { NEVER } from "./never.ts";
import { Rush } from "./rush.ts";
import type { TrackedVm } from "./tracked_vm.ts";
import { probedTogether, probePeriodMs } from "./tracked_vm.ts";

const PROBES_AT_ONCE = 256;
const SOCKET_GLANCE_MS = 1_000;
/** A sweep that failed is tried again after this. */
const RETRY_SWEEP_MS = 5_000;

export class Lookout {
  readonly #fleet: Fleet;
  readonly #probes = new BoundedPool(PROBES_AT_ONCE);
  readonly #strays = new Set<string>();
  readonly rush = new Rush();
  /** When the next sweep is due. */
  sweepAt: number = 0;
  #sweeping = false;
  /** Why the process table could not be read, as it was said. */
  #unreadable: string | undefined;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  get strayCount(): number {
    return this.#strays.size;
  }

  get nextAt(): number {
    return this.#sweeping ? NEVER : this.sweepAt;
  }

  turn(now: MonotonicMs): void {
    if (now >= this.sweepAt && !this.#sweeping) this.#fleet.background(this.sweep());
  }

  lookAfterAct(tracked: TrackedVm): void {
    if (tracked.vm.main !== undefined) this.#fleet.background(this.#lookAtMain(tracked, "event"));
  }

  exitNoticed(tracked: TrackedVm): void {
    this.rush.add(this.#fleet.deps.clock.monotonic());
    this.#fleet.background(this.#lookAtMain(tracked, "event"));
  }

  /** Probes a VM that is due. */
  takeUp(tracked: TrackedVm, now: MonotonicMs): void {
    if (this.#fleet.mayProbe(tracked) && tracked.nextProbeAt <= now) this.#fleet.background(this.probe(tracked));
    else this.#fleet.reschedule(tracked);
  }

  async probe(tracked: TrackedVm): Promise<void> {
    const { main } = tracked.vm;
    if (main === undefined || tracked.probing) return;
    tracked.probing = true;
    const { health } = tracked.policy;
    const startedAt = this.#fleet.deps.clock.monotonic();
    const { result, durationMs } = await this.#probes.run(() =>
      probe(this.#fleet.deps, {
        id: tracked.id,
        process: main.identity,
        runsWith: main.runsWith,
        guest: tracked.record.guest,
        asksApi: health.enabled,
        timeoutMs: health.timeoutMs,
      }),
    );
    tracked.probing = false;
    tracked.probedAt = this.#fleet.deps.clock.monotonic();
    // An act that began meanwhile looks for itself.
    if (tracked.act !== undefined || tracked.deleted || !this.#fleet.isWatching) return;
    if (result.kind === "dead") await this.#lookAtMain(tracked, "sweep");
    else this.#fleet.apply(tracked, { type: "probed", identity: main.identity, result, durationMs });
    if (tracked.vm.main === undefined || !sameProcess(tracked.vm.main.identity, main.identity)) return;
    const periodMs = probePeriodMs(tracked);
    const share = tracked.spread || tracked.vm.phase.name !== "healthy" ? 1 : this.#fleet.deps.random.next();
    if (tracked.vm.phase.name === "healthy") tracked.spread = true;
    tracked.nextProbeAt = probedTogether(after(startedAt, Math.max(1, periodMs * share)), periodMs);
    this.#fleet.reschedule(tracked);
  }

  /** Whether the known main process still lives: an event was only a reason to ask. */
  async #lookAtMain(tracked: TrackedVm, detect: DetectionSource): Promise<void> {
    const { clock, launcher, processTable, vmm } = this.#fleet.deps;
    const { main } = tracked.vm;
    if (main === undefined || tracked.act !== undefined || tracked.deleted) return;
    if (tracked.looking) {
      // What is seen by the look under way may be older than what this one was told of.
      tracked.lookAgain = true;
      return;
    }
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
        // Where the code decides nothing, a question to the service manager would only delay the report.
        tracked.record.restart === "always" && launcher.kind === "systemd"
          ? undefined
          : launcher.exitOf(tracked.record, main.identity),
        socket === undefined ? "missing" : vmm.socketState(socket, SOCKET_GLANCE_MS),
      ]);
      if (tracked.vm.main === undefined || !sameProcess(tracked.vm.main.identity, main.identity)) return;
      const how =
        exit?.code !== undefined
          ? `exited with code ${exit.code}`
          : exit?.signal
            ? `was ended by ${exit.signal}`
            : "is gone";
      const { lastSeenAt } = tracked.vm;
      const sinceSeenMs = lastSeenAt === undefined ? undefined : clock.monotonic() - lastSeenAt;
      this.#applyLook(tracked, {
        type: "looked",
        look: {
          kind: "dead",
          exit,
          socketServed: served === "accepts",
          remnants: 0,
          evidence: `process ${main.identity.pid} ${how}`,
          detect,
          detectionDelayMs: detect === "event" ? clock.monotonic() - noticedAt : sinceSeenMs,
        },
      });
    } finally {
      tracked.looking = false;
      if (tracked.lookAgain) {
        tracked.lookAgain = false;
        this.#fleet.background(this.#lookAtMain(tracked, "event"));
      }
    }
  }

  #applyLook(tracked: TrackedVm, observation: Extract<Observation, { type: "looked" }>): void {
    if (tracked.act === undefined && this.#fleet.isWatching) this.#fleet.apply(tracked, observation);
  }

  /** Looks at every process of the host once, and at every VM with it: what repairs lost events. */
  async sweep(): Promise<void> {
    const { clock } = this.#fleet.deps;
    this.#sweeping = true;
    this.sweepAt = NEVER;
    let waitMs = RETRY_SWEEP_MS;
    try {
      if (!this.#fleet.holdsLock()) return;
      const scan = await this.#fleet.scanner.scan();
      this.#sayUnreadable(scan.kind === "unknown" ? scan.error : undefined);
      if (scan.kind === "unknown") return;
      waitMs = this.#fleet.policy.recovery.detectionIntervalMs;
      const records = [...this.#fleet.tracked.values()].map((tracked) => tracked.record);
      const attribution = attribute(records, scan.processes, this.#fleet.deps);
      await Promise.all(
        [...this.#fleet.tracked.values()].map((tracked) =>
          this.#lookInScan(tracked, attribution.of.get(tracked.id) ?? NO_PROCESSES, scan.startedAt),
        ),
      );
      this.#sayStrays(attribution.strays);
    } finally {
      this.#sweeping = false;
      this.sweepAt = Math.min(this.sweepAt, clock.monotonic() + waitMs);
      this.#fleet.wake();
    }
  }

  async #lookInScan(tracked: TrackedVm, processes: VmProcesses, scannedAt: MonotonicMs): Promise<void> {
    if (tracked.act !== undefined || tracked.knownSince > scannedAt) return;
    const { owned } = processes;
    const known = tracked.vm.main;
    let mains = processes.mains.filter((main) => !isLeftOver(main, tracked.vm.deadIncarnation));
    const shown = known === undefined || mains.some((main) => sameProcess(main.identity, known.identity));
    if (!shown) {
      // What is left of the launch whose main has just ended is no VM, whether or not its end was noticed.
      const { kind } = await this.#fleet.deps.processTable.inspect(known.identity);
      if (tracked.vm.main !== known) return;
      if (kind === "dead") mains = mains.filter((main) => !isLeftOver(main, known.incarnation));
    }
    const [facts] = mains;
    if (mains.length > 1) {
      const look = { kind: "duplicate" as const, mains: mains.map((main) => main.identity) };
      this.#applyLook(tracked, { type: "looked", look });
      return;
    }
    if (facts !== undefined) {
      await this.#sawMain(tracked, facts, owned);
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
    const served = socket === undefined ? "missing" : await this.#fleet.deps.vmm.socketState(socket, SOCKET_GLANCE_MS);
    // How it ended while no agent was there, where the launcher can still tell.
    const lost = tracked.remembered?.main;
    const exit = lost === undefined ? undefined : await this.#fleet.deps.launcher.exitOf(tracked.record, lost);
    if (tracked.knownSince > scannedAt || tracked.vm.main !== undefined) return;
    this.#applyLook(tracked, {
      type: "looked",
      look: {
        kind: "dead",
        exit,
        socketServed: served === "accepts",
        remnants: owned.length,
        evidence: owned.length > 0 ? `no main process, ${owned.length} others of it` : "no process of it",
        detect: "sweep",
        detectionDelayMs: undefined,
      },
    });
  }

  async #sawMain(tracked: TrackedVm, facts: ProcessFacts, owned: readonly ProcessFacts[]): Promise<void> {
    const { clock, processTable } = this.#fleet.deps;
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
    const wraps = known !== undefined && owned.some(({ identity }) => sameProcess(identity, known.identity));
    if (known !== undefined && !same && !previousMainDead && !wraps) {
      // The one that is known runs under an older record: the new one names another process, and both live.
      const look = { kind: "duplicate" as const, mains: [known.identity, facts.identity] };
      this.#applyLook(tracked, { type: "looked", look });
      return;
    }
    this.#applyLook(tracked, { type: "looked", look: { kind: "running", main, previousMainDead } });
  }

  /** A process that an earlier agent watched under an older record is still the VM's, though the new record does not describe it. */
  async #adoptRemembered(tracked: TrackedVm): Promise<boolean> {
    const { clock, processTable } = this.#fleet.deps;
    const identity = tracked.remembered?.main;
    if (identity === undefined || tracked.vm.phase.name !== "pending") return false;
    if ((await processTable.inspect(identity)).kind === "dead") return false;
    const facts = await processTable.describe(identity);
    // It lives, or nobody can tell, and it cannot be described now: then nothing may be concluded from its absence in a scan.
    if (facts === undefined || !sameProcess(facts.identity, identity)) return true;
    const main = this.#mainFrom(tracked, facts, clock.monotonic());
    this.#applyLook(tracked, { type: "looked", look: { kind: "running", main, previousMainDead: false } });
    return true;
  }

  #mainFrom(tracked: TrackedVm, facts: ProcessFacts, now: MonotonicMs): Main {
    const main = mainOf(facts, tracked.record, now);
    const { remembered } = tracked;
    const runsWith = remembered?.runsWith;
    if (runsWith === undefined || remembered?.main === undefined || !sameProcess(remembered.main, facts.identity)) {
      return main;
    }
    return { ...main, runsWith };
  }

  /** Once per reason: while it lasts nothing is known of any VM, and none is started. */
  #sayUnreadable(error: string | undefined): void {
    if (error !== undefined && error !== this.#unreadable) {
      this.#fleet.deps.report({ type: "process_table_unreadable", error });
    }
    if (error === undefined && this.#unreadable !== undefined) {
      this.#fleet.deps.report({ type: "process_table_readable_again" });
    }
    this.#unreadable = error;
  }

  #sayStrays(strays: readonly ProcessFacts[]): void {
    const seen = new Set<string>();
    for (const facts of strays) {
      if (facts.ageMs < this.#fleet.policy.strayMinAgeMs) continue;
      const key = `${facts.identity.pid} ${facts.identity.startTicks}`;
      seen.add(key);
      const vmm = vmmOf(facts.exe);
      if (this.#strays.has(key) || vmm === undefined) continue;
      const { identity, ageMs, argv } = facts;
      this.#fleet.deps.report({
        type: "stray_detected",
        process: identity,
        vmm,
        ageMs,
        socketPath: socketArgument(argv),
      });
    }
    this.#strays.clear();
    for (const key of seen) this.#strays.add(key);
  }

  /** Whether the main that an earlier agent knew has died since: then what is left of its launch is no VM. */
  async recallDeath(tracked: TrackedVm): Promise<void> {
    const { remembered } = tracked;
    // Nothing remembered is no proof of a death: what lives may have been launched all the same.
    if (remembered?.main === undefined || remembered.launchIntent !== undefined) return;
    const { kind } = await this.#fleet.deps.processTable.inspect(remembered.main);
    if (kind === "dead") tracked.vm = { ...tracked.vm, deadIncarnation: remembered.incarnation };
  }
}
