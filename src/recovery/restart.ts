/**
 * Carries out one start or restart of a VM, from reading its intent to seeing it healthy.
 *
 * The order is the safety: intent, then the end of what is doomed, then the proof that nothing is left, then the disks, then intent
 * again, then the written-down intent to launch, then the launch. Each step either lets the next one happen or ends the act with a
 * reason; a step that cannot tell ends it too. It decides nothing about when to try again.
 * @module
 */

import { sleep } from "../async/deadline.ts";
import type { BlockedReason, OrphanReason } from "../domain/event.ts";
import type { ProcessIdentity } from "../domain/process.ts";
import type { LaunchIntent } from "../domain/runtime_state.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import type { VmRecord } from "../domain/vm_record.ts";
import { vmmOf } from "../domain/vmm.ts";
import { probe } from "../health/probe.ts";
import type { ActSubject, ActWorld } from "./act.ts";
import { diesWithin, endOfVm } from "./end_process.ts";
import type { Fencing } from "./fence.ts";
import { fence, mainIsAlone, mainOf, notEnded } from "./fence.ts";
import type { ActPurpose } from "./fresh_intent.ts";
import type { RestartOutcome } from "./observation.ts";
import { forceForbiddenBy, provesNoGuest } from "./orphan.ts";
import { attribute, isLeftOver } from "./ownership.ts";
import type { Main } from "./vm.ts";
import type { RestartMode } from "./work_wanted.ts";

export interface RestartSubject extends ActSubject {
  readonly mode: RestartMode;
  /** Undefined: a first start. */
  readonly reason: OrphanReason | undefined;
  /** Attempts made so far. */
  readonly attempts: number;
  /** Number of the last launch. */
  readonly incarnation: number;
  /** A launch that an earlier agent began, or that was left without an answer, and since when it is known. */
  readonly openIntent: { readonly intent: LaunchIntent; readonly foundAt: MonotonicMs } | undefined;
}

/** How long a launch whose end is unknown is given to show itself. */
const LAUNCH_MAY_LAND_MS = 2_000;
/** A proof older than this is made anew before the launch; after each try that took longer, this much more is allowed. */
const PROOF_AGE_MAX_MS = 1_000;
const PROOF_TRIES_MAX = 5;
const QUESTION_TIMEOUT_MS = 5_000;
const VERIFY_FIRST_MS = 50;
const VERIFY_MAX_MS = 1_000;
const VERIFY_FACTOR = 1.5;

export async function restart(subject: RestartSubject, world: ActWorld): Promise<RestartOutcome> {
  const act = new Restart(subject, world);
  return (
    (await act.readIntent()) ??
    (await act.endDoomed()) ??
    (await act.proveGone()) ??
    (await act.examineDisks()) ??
    (await act.announce()) ??
    (await act.prepare()) ??
    (await act.launch()) ??
    (await act.verify())
  );
}

/** One restart under way. A step returns the outcome that ends the act, or undefined to let the next step happen. */
class Restart {
  readonly #subject: RestartSubject;
  readonly #world: ActWorld;
  readonly #startedAt: MonotonicMs;
  readonly #attempt: number;
  readonly #incarnation: number;
  /** Set by `readIntent`, which comes first; replaced only by the same launch with other wishes around it. */
  #record: VmRecord | undefined;
  #proof: Extract<Fencing, { kind: "clean" }> | undefined;
  #openIntent: RestartSubject["openIntent"];
  #launched: Main | undefined;

  constructor(subject: RestartSubject, world: ActWorld) {
    this.#subject = subject;
    this.#world = world;
    this.#startedAt = world.ports.clock.monotonic();
    this.#attempt = subject.attempts + 1;
    this.#incarnation = subject.incarnation + 1;
    this.#openIntent = subject.openIntent;
  }

  async readIntent(): Promise<RestartOutcome | undefined> {
    const objection = await this.#objection();
    return objection === undefined ? undefined : { kind: "abandoned", detail: objection };
  }

  async endDoomed(): Promise<RestartOutcome | undefined> {
    const { main, mode } = this.#subject;
    if (main === undefined || mode === "start") return undefined;
    return mode === "force" ? await this.#force(main) : await this.#replaceEmpty(main);
  }

  /** Ends a VMM that says that no guest runs in it, once it says so again. */
  async #replaceEmpty(main: Main): Promise<RestartOutcome | undefined> {
    const { result } = await this.#probe(main);
    if (result.kind === "success") return { kind: "well_again" };
    if (result.kind === "zombie_leader") {
      const detail = `pid ${main.identity.pid} has ended, ${result.liveTasks} other tasks of it live on`;
      return { kind: "unfenceable", detail };
    }
    if (result.kind !== "dead" && !(result.kind === "guest" && provesNoGuest(result.state))) {
      return { kind: "abandoned", detail: "the VMM no longer says that no guest runs" };
    }
    return await this.#end(main);
  }

  /** Ends a living VMM, which the operator allowed and two independent signals ask for. */
  async #force(main: Main): Promise<RestartOutcome | undefined> {
    const refusal = await this.#world.forceRefusal();
    if (refusal === "braked") return { kind: "abandoned", detail: "the mass failure brake is engaged" };
    if (refusal !== undefined) return { kind: "blocked", reason: refusal, detail: "force was asked for" };
    const unconfirmed = await this.#confirmSuspicion(main);
    if (unconfirmed.outcome !== undefined || unconfirmed.dead) return unconfirmed.outcome;
    if (unconfirmed.apiAnswers && main.runsWith.socket !== undefined && main.runsWith.vmm !== "process") {
      const target = { id: this.#subject.id, vmm: main.runsWith.vmm, socket: main.runsWith.socket };
      const objection = await this.#objectionToEnding(main);
      if (objection !== undefined) return { kind: "abandoned", detail: objection };
      await this.#world.ports.vmm.shutdown(target, QUESTION_TIMEOUT_MS);
      if (
        await diesWithin(
          this.#world.ports,
          main.identity,
          this.#policy().recovery.shutdownTimeoutMs,
          this.#world.signal,
        )
      )
        return undefined;
      const still = await this.#confirmSuspicion(main);
      if (still.outcome !== undefined || still.dead) return still.outcome;
    }
    const objection = await this.#objection("force");
    if (objection !== undefined) return { kind: "abandoned", detail: objection };
    const alone = await mainIsAlone(this.#world, this.#current(), main);
    if (alone !== undefined) return alone;
    const counted = await this.#world.countForcedStop();
    if (counted.kind === "failed") return blocked("state_unwritable", counted.error);
    if (counted.kind === "exhausted") return blocked("forced_stops_exhausted", "force was asked for");
    return await this.#end(main);
  }

  /** One fresh probe: is the pair of signals that permits force still there? */
  async #confirmSuspicion(
    main: Main,
  ): Promise<{ outcome: RestartOutcome | undefined; dead: boolean; apiAnswers: boolean }> {
    const { result } = await this.#probe(main);
    const ends = (outcome: RestartOutcome) => ({ outcome, dead: false, apiAnswers: false });
    switch (result.kind) {
      case "success":
        return ends({ kind: "well_again" });
      case "dead":
        return { outcome: undefined, dead: true, apiAnswers: false };
      case "failure": {
        const forbidden = forceForbiddenBy(result, this.#policy().recovery.allowDataLoss);
        if (forbidden !== undefined) return ends({ kind: "blocked", reason: forbidden, detail: result.error });
        if (result.processState === "D") {
          return ends({ kind: "unfenceable", detail: "its process is in uninterruptible sleep" });
        }
        return { outcome: undefined, dead: false, apiAnswers: !result.apiSilent };
      }
      default:
        return ends({ kind: "abandoned", detail: `the last probe before force says ${result.kind}` });
    }
  }

  async proveGone(): Promise<RestartOutcome | undefined> {
    const record = this.#current();
    const fencing = await fence(this.#world, record, {
      known: this.#lost(),
      deadIncarnation: this.#subject.main?.incarnation ?? this.#subject.deadIncarnation,
      launchMayLandUntil:
        this.#openIntent === undefined ? undefined : after(this.#openIntent.foundAt, LAUNCH_MAY_LAND_MS),
      mayGoOn: () => this.#objection(),
    });
    if (fencing.kind === "main_lives") {
      const doomed = this.#subject.mode !== "start" ? this.#subject.main : undefined;
      if (doomed !== undefined && doomed.identity.pid === fencing.main.identity.pid) {
        return { kind: "unfenceable", detail: `pid ${doomed.identity.pid} is still there` };
      }
      return { kind: "found", main: fencing.main };
    }
    if (fencing.kind !== "clean") return fencing;
    this.#openIntent = undefined;
    const served = await this.#servedByOthers(record);
    if (served !== undefined) return served;
    this.#proof = fencing;
    return undefined;
  }

  /** Intent and the socket, both as fresh as the host permits. */
  async #objectionToUnlinking(record: VmRecord): Promise<string | undefined> {
    const { clock } = this.#world.ports;
    for (let tries = 0; tries < PROOF_TRIES_MAX; tries += 1) {
      const beganAt = clock.monotonic();
      if ((await this.#servedByOthers(record)) !== undefined) return "its socket is served by somebody else";
      const objection = await this.#objection();
      if (objection !== undefined) return objection;
      if (clock.monotonic() <= after(beganAt, PROOF_AGE_MAX_MS * (tries + 1))) return undefined;
    }
    return "the host is too slow to tell what runs on it";
  }

  /** Nothing of the VM lives, so whoever answers at its socket is a stranger; his socket is not to be unlinked. */
  async #servedByOthers({ socket }: VmRecord): Promise<RestartOutcome | undefined> {
    if (socket === undefined) return undefined;
    const served = await this.#world.ports.vmm.socketState(socket, QUESTION_TIMEOUT_MS);
    if (served === "accepts") return blocked("socket_in_use", `somebody else answers at ${socket}`);
    if (served === "unknown") return blocked("unproven", `cannot tell whether somebody answers at ${socket}`);
    return undefined;
  }

  async examineDisks(): Promise<RestartOutcome | undefined> {
    const record = this.#current();
    const { disks } = record;
    if (disks.length === 0) return undefined;
    const examination = await this.#world.ports.diskHolders.examine(disks, QUESTION_TIMEOUT_MS);
    if (examination.kind === "unavailable") {
      return blocked("disk_unavailable", `${examination.path}: ${examination.error}`);
    }
    const [holder] = examination.holders;
    if (holder === undefined) {
      // Nobody has opened them; another VM of ours may be about to.
      const claimant = this.#world.claimDisks(examination.disks);
      return claimant === undefined ? undefined : blocked("disk_in_use", `${claimant} is being started with it`);
    }
    return blocked("disk_in_use", `${holder.path} is open for writing by pid ${holder.pid} (${holder.exe})`);
  }

  /** Said once it leads to an attempt, since a VM that is blocked is fenced again and again. */
  #reportFenced(): void {
    const { reason } = this.#subject;
    if (this.#proof === undefined || reason === undefined) return;
    const { id, vmm } = this.#current();
    this.#world.ports.report({ type: "fenced", vmId: id, vmm, process: this.#lost(), proof: this.#proof.proof });
  }

  #lost(): ProcessIdentity | undefined {
    return this.#subject.main?.identity ?? this.#subject.lostProcess;
  }

  /** From here on it is an attempt, which ends as a success or as a failure. */
  async announce(): Promise<RestartOutcome | undefined> {
    const { clock, processTable } = this.#world.ports;
    const unwritable = await this.#cannotRememberOnce();
    if (unwritable !== undefined) return unwritable;
    const launchIntent = {
      attempt: this.#attempt,
      incarnation: this.#incarnation,
      bootId: processTable.bootId,
      at: clock.monotonic(),
    };
    const saved = await this.#remember(launchIntent, undefined);
    if (saved !== undefined) return saved;
    const objection = await this.#objection();
    if (objection !== undefined) {
      await this.#rememberNoLaunch();
      return { kind: "abandoned", detail: objection };
    }
    this.#reportFenced();
    this.#world.observe({ type: "attempt_began", attempt: this.#attempt, incarnation: this.#incarnation });
    return undefined;
  }

  /** What may be started once is not tried where nobody could write down that it was. */
  async #cannotRememberOnce(): Promise<RestartOutcome | undefined> {
    const record = this.#current();
    if (record.restart !== "never") return undefined;
    const once = await this.#world.rememberStartedOnce(record);
    await this.#world.forgetStartedOnce();
    return once.kind === "failed" ? blocked("state_unwritable", once.error) : undefined;
  }

  async prepare(): Promise<RestartOutcome | undefined> {
    const record = this.#current();
    const { launch } = record;
    if (launch?.kind !== "argv") return undefined;
    const { hooks, report } = this.#world.ports;
    if (this.#subject.reason !== undefined) {
      for (const argv of launch.afterStop) {
        const objection = await this.#objection();
        if (objection !== undefined) return await this.#fail("abandoned", objection);
        const done = await this.#hook("after_stop", argv, launch.hookTimeoutMs);
        if (done !== undefined) report({ type: "vm_hook_failed", vmId: record.id, hook: "after_stop", error: done });
      }
    }
    const objection = await this.#objectionToUnlinking(record);
    if (objection !== undefined) return await this.#fail("abandoned", objection);
    const leftovers = record.socket === undefined ? launch.cleanup : [record.socket, ...launch.cleanup];
    const cleaned = await hooks.removeLeftovers(leftovers);
    if (cleaned.kind === "failed") return await this.#fail("cleanup_failed", cleaned.error);
    for (const argv of launch.beforeStart) {
      const objection = await this.#objection();
      if (objection !== undefined) return await this.#fail("abandoned", objection);
      const failed = await this.#hook("before_start", argv, launch.hookTimeoutMs);
      if (failed === undefined) continue;
      report({ type: "vm_hook_failed", vmId: record.id, hook: "before_start", error: failed });
      for (const undo of launch.afterStop) {
        if ((await this.#objection()) !== undefined) break;
        const undone = await this.#hook("after_stop", undo, launch.hookTimeoutMs);
        if (undone === undefined) continue;
        report({ type: "vm_hook_failed", vmId: record.id, hook: "after_stop", error: undone });
      }
      return await this.#fail("hook_failed", failed);
    }
    return undefined;
  }

  async launch(): Promise<RestartOutcome | undefined> {
    const { clock, launcher } = this.#world.ports;
    const stale = await this.#renewProof();
    if (stale !== undefined) return stale;
    const record = this.#current();
    if (record.restart === "never") {
      const once = await this.#world.rememberStartedOnce(record);
      if (once.kind === "failed") return await this.#failByBlock(blocked("state_unwritable", once.error));
      const again = await this.#renewProof();
      if (again !== undefined) {
        await this.#world.forgetStartedOnce();
        return again;
      }
    }
    const launchedAt = clock.monotonic();
    const outcome = await launcher.launch({ record, incarnation: this.#incarnation });
    if (outcome.kind === "refused") {
      if (record.restart === "never") await this.#world.forgetStartedOnce();
      return await this.#fail("launch_refused", outcome.error);
    }
    // The intent stays open on disk: whoever tries next knows that something may still land.
    if (outcome.kind === "unknown")
      return { kind: "attempt_failed", cause: "launch_unknown", error: outcome.error, exit: undefined };
    const main: Main = {
      identity: outcome.process,
      launchedByUs: true,
      incarnation: this.#incarnation,
      startedAt: launchedAt,
      runsWith: { vmm: record.vmm, socket: record.socket, launchHash: record.launchHash },
    };
    this.#launched = main;
    this.#world.observe({ type: "launched", main });
    // Should this fail, the open intent costs the next agent two seconds, and nothing else.
    await this.#remember(undefined, main);
    return undefined;
  }

  /** Intent and proof, both as fresh as the host permits: hooks took their time, and so may reading either of them. */
  async #renewProof(): Promise<RestartOutcome | undefined> {
    const { clock } = this.#world.ports;
    // A host on which looking takes longer gets longer: it would never start anything otherwise.
    const isStale = (tries: number) =>
      this.#proof === undefined || clock.monotonic() > after(this.#proof.scannedAt, PROOF_AGE_MAX_MS * (tries + 1));
    for (let tries = 0; tries < PROOF_TRIES_MAX; tries += 1) {
      const changed = isStale(0) ? ((await this.proveGone()) ?? (await this.examineDisks())) : undefined;
      if (changed?.kind === "found") return changed;
      if (changed !== undefined) return await this.#failByBlock(changed);
      const objection = await this.#objection();
      if (objection !== undefined) return await this.#fail("abandoned", objection);
      if (!isStale(tries)) return undefined;
    }
    return await this.#fail("abandoned", "the host is too slow to tell what runs on it");
  }

  async #failByBlock(changed: RestartOutcome): Promise<RestartOutcome> {
    const detail = "detail" in changed ? changed.detail : changed.kind;
    const failed = await this.#fail("abandoned", detail);
    if (failed.kind !== "attempt_failed") return failed;
    if (changed.kind === "unfenceable") return { ...failed, blocked: { reason: "unfenceable", detail } };
    return changed.kind === "blocked" ? { ...failed, blocked: { reason: changed.reason, detail } } : failed;
  }

  /** Probes until the VM was seen healthy: that, and not the launch, is what an attempt is for. */
  async verify(): Promise<RestartOutcome> {
    const { clock, launcher } = this.#world.ports;
    const { health, recovery } = this.#policy();
    let main = this.#launched;
    if (main === undefined) throw new Error("Cannot verify a start as nothing was launched");
    const startDeadline = after(main.startedAt, recovery.startTimeoutMs);
    const deadline = Math.min(startDeadline, after(this.#startedAt, recovery.recoveryTimeoutMs));
    let pollMs = VERIFY_FIRST_MS;
    for (;;) {
      await sleep(clock, Math.max(0, Math.min(pollMs, deadline - clock.monotonic())), this.#world.signal);
      if (this.#world.signal.aborted) return { kind: "slow", main: await this.#settled(main) };
      pollMs = Math.min(pollMs * VERIFY_FACTOR, VERIFY_MAX_MS);
      const leftMs = Math.max(VERIFY_FIRST_MS, deadline - clock.monotonic());
      const { result } = await this.#probe(main, Math.min(health.timeoutMs, leftMs));
      if (result.kind === "success") {
        main = await this.#settled(main);
        await this.#sayUnmarked(main);
        return { kind: "healthy", main };
      }
      if (result.kind === "dead") {
        // A wrapper may end once the VMM runs.
        const heir = await this.#heir(main.incarnation);
        if (heir === undefined) {
          const exit = await launcher.exitOf(this.#current(), main.identity);
          const how = exit?.code !== undefined ? `with code ${exit.code}` : exit?.signal ? `by ${exit.signal}` : "";
          const ended = { process: main.identity, status: exit };
          const where = launcher.consoleOf(this.#current());
          return await this.#fail(
            "process_died",
            `the process ended${how === "" ? "" : ` ${how}`}; see ${where}`,
            ended,
          );
        }
        main = heir;
        this.#world.observe({ type: "launched", main });
      }
      // A VMM that says its pid is another is the child of what was launched.
      if (result.kind === "unknown" && result.layer === "api") main = await this.#settled(main);
      if (result.kind === "zombie_leader" || clock.monotonic() >= deadline) {
        return { kind: "slow", main: await this.#settled(main) };
      }
    }
  }

  /** The process that a launched one became or started: a shell is not the VMM that it wraps. */
  async #settled(main: Main): Promise<Main> {
    if (main.runsWith.vmm === "process") return main;
    const facts = await this.#world.ports.processTable.describe(main.identity);
    if (facts !== undefined && vmmOf(facts.exe) !== undefined) return main;
    return (await this.#heir(undefined)) ?? main;
  }

  /** Nothing but the mark tells whose a process is that has no unit of its own: whoever finds it later takes it for somebody else's. */
  async #sayUnmarked(main: Main): Promise<void> {
    const { launcher, processTable, report } = this.#world.ports;
    if (launcher.kind !== "direct") return;
    const facts = await processTable.describe(main.identity);
    const { id } = this.#subject;
    if (facts === undefined || facts.vmId === id) return;
    report({ type: "vm_unmarked", vmId: id, vmm: main.runsWith.vmm, process: main.identity });
  }

  /** The one main that a scan shows; undefined when there is none, or no telling. */
  async #heir(deadIncarnation: number | undefined): Promise<Main | undefined> {
    const scan = await this.#world.scan();
    if (scan.kind === "unknown") return undefined;
    const record = this.#current();
    const found = attribute([record], scan.processes, this.#world.users).of.get(record.id)?.mains ?? [];
    const mains = found.filter((facts) => !isLeftOver(facts, deadIncarnation));
    const [main] = mains;
    return main === undefined || mains.length > 1
      ? undefined
      : mainOf(main, record, this.#world.ports.clock.monotonic());
  }

  /** Why the next signal, hook or launch must not happen; undefined when it may. Read from disk now. */
  async #objection(purpose: ActPurpose = "running"): Promise<string | undefined> {
    if (this.#world.signal.aborted) return "the act was called off";
    if (await this.#world.ports.host.isShuttingDown()) return "the host is shutting down";
    if (purpose === "force" && this.#subject.mode === "force" && this.#world.isBraked()) {
      return "the mass failure brake is engaged";
    }
    const intent = await this.#world.freshIntent(purpose);
    if (intent.kind === "no") return intent.detail;
    if (this.#world.signal.aborted) return "the act was called off";
    // What was fenced and examined was fenced and examined for this launch, these disks and this socket.
    if (this.#record !== undefined && intent.record.launchHash !== this.#record.launchHash) {
      return "its record changed meanwhile";
    }
    if (intent.record.launch === undefined) return "its record has no launch";
    this.#record = intent.record;
    return undefined;
  }

  #current(): VmRecord {
    if (this.#record === undefined) throw new Error("Cannot act on a VM as its intent was not read");
    return this.#record;
  }

  #policy() {
    return this.#world.policyFor(this.#current());
  }

  #probe(main: Main, timeoutMs: number = this.#policy().health.timeoutMs) {
    const record = this.#current();
    return probe(this.#world.ports, {
      id: this.#subject.id,
      process: main.identity,
      runsWith: main.runsWith,
      guest: record.guest,
      asksApi: this.#policy().health.enabled,
      timeoutMs,
    });
  }

  async #hook(hook: "before_start" | "after_stop", argv: readonly string[], timeoutMs: number) {
    const outcome = await this.#world.ports.hooks.run({ vmId: this.#subject.id, hook, argv, timeoutMs });
    return outcome.kind === "failed" ? outcome.error : undefined;
  }

  async #remember(launchIntent: LaunchIntent | undefined, main: Main | undefined): Promise<RestartOutcome | undefined> {
    const saved = await this.#world.remember({
      attempts: this.#attempt,
      incarnation: this.#incarnation,
      main,
      launchIntent,
    });
    return saved.kind === "saved" ? undefined : blocked("state_unwritable", saved.error);
  }

  /** Nothing was launched, and nothing will be. */
  async #rememberNoLaunch(): Promise<void> {
    const { attempts, incarnation } = this.#subject;
    await this.#world.remember({ attempts, incarnation, main: undefined, launchIntent: undefined });
  }

  async #fail(
    cause: Extract<RestartOutcome, { kind: "attempt_failed" }>["cause"],
    error: string,
    exit?: Extract<RestartOutcome, { kind: "attempt_failed" }>["exit"],
  ): Promise<RestartOutcome> {
    await this.#remember(undefined, undefined);
    return { kind: "attempt_failed", cause, error, exit };
  }

  /** Ends a VMM that lives, unless it is not the only one. */
  async #end(main: Main): Promise<RestartOutcome | undefined> {
    const record = this.#current();
    const alone = await mainIsAlone(this.#world, record, main);
    if (alone !== undefined) return alone;
    this.#world.observe({ type: "ending_main" });
    return notEnded(await endOfVm(this.#world.ports, record, main.identity, () => this.#objectionToEnding(main)));
  }

  /** Another one may have been started beside it meanwhile. Intent is read last, as it must be fresh. */
  async #objectionToEnding(main: Main): Promise<string | undefined> {
    const alone = await mainIsAlone(this.#world, this.#current(), main);
    return alone?.detail ?? (await this.#objection("force"));
  }
}

function blocked(reason: BlockedReason, detail: string): RestartOutcome {
  return { kind: "blocked", reason, detail };
}
