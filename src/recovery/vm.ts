/**
 * What the rules know of one VM: the phase it is in, the process that runs it, and what it has been through.
 * @module
 */

import type { BlockedReason, OrphanReason, VmPhase } from "../domain/event.ts";
import type { HealthPolicy } from "../domain/policy.ts";
import type { ProcessIdentity } from "../domain/process.ts";
import type { RunsWith, RuntimeState } from "../domain/runtime_state.ts";
import type { MonotonicMs } from "../domain/time.ts";
import type { VmRecord, VmRecoveryPolicy } from "../domain/vm_record.ts";
import type { VmHealth } from "../health/vm_health.ts";
import { CLEAN_SHEET } from "../health/vm_health.ts";

/** The main process of a VM. */
export interface Main {
  readonly identity: ProcessIdentity;
  /** It bears our mark, so its VMM's word that no guest runs is proof. */
  readonly launchedByUs: boolean;
  /** Which launch of ours it comes from. */
  readonly incarnation: number | undefined;
  readonly startedAt: MonotonicMs;
  readonly runsWith: RunsWith;
}

/** That the VM does not run as it should, from the first notice until it is seen healthy. */
export interface Loss {
  /** Undefined: it never ran since the host booted, so this is a first start and no recovery. */
  readonly reason: OrphanReason | undefined;
  readonly at: MonotonicMs;
  /** A proof of it was reported, though it may be a mere suspicion now: after a restart that went wrong. */
  readonly proven: boolean;
}

/** An attempt that was announced and has not ended. */
export interface OpenAttempt {
  readonly attempt: number;
  /** False: a first start. */
  readonly recovery: boolean;
  readonly startedAt: MonotonicMs;
}

export type Phase =
  /** `looked`: the host was asked, and nothing of it runs. */
  | { readonly name: "pending"; readonly since: MonotonicMs; readonly looked: boolean }
  | { readonly name: "orphaned"; readonly since: MonotonicMs }
  | { readonly name: "backing_off"; readonly since: MonotonicMs; readonly retryAt: MonotonicMs }
  /** The breaker is open: one attempt every `rearmIntervalMs`. */
  | { readonly name: "failed"; readonly since: MonotonicMs; readonly retryAt: MonotonicMs }
  | { readonly name: "fencing" | "starting"; readonly since: MonotonicMs }
  /** Launched or adopted, and not yet seen healthy. */
  | { readonly name: "verifying"; readonly since: MonotonicMs }
  | { readonly name: "healthy" | "suspect" | "paused" | "paused_io"; readonly since: MonotonicMs }
  /** `recheckAt`: when to try again; undefined: when a probe, a record or a sweep says something new. */
  | {
      readonly name: "blocked";
      readonly since: MonotonicMs;
      readonly reason: BlockedReason;
      readonly recheckAt: MonotonicMs | undefined;
    }
  | { readonly name: "unfenceable"; readonly since: MonotonicMs; readonly recheckAt: MonotonicMs }
  | { readonly name: "stopping" | "stopped"; readonly since: MonotonicMs };

export interface Vm {
  readonly phase: Phase;
  readonly main: Main | undefined;
  /** Of `main`. */
  readonly health: VmHealth;
  readonly loss: Loss | undefined;
  readonly openAttempt: OpenAttempt | undefined;
  /** Attempts since it was last stable. */
  readonly attempts: number;
  /** Number of the last launch. */
  readonly incarnation: number;
  /** The launch whose main is known to be dead: what is left of it is a remnant, and no VM. */
  readonly deadIncarnation: number | undefined;
  /** Something of it ran since the host booted, so its absence is a loss. */
  readonly ranThisBoot: boolean;
  /** Healthy since then, without a break: what `stableAfterMs` measures. */
  readonly healthySince: MonotonicMs | undefined;
  /** When its main process was last seen to live. */
  readonly lastSeenAt: MonotonicMs | undefined;
  /** The main process whose death was seen last. */
  readonly lostProcess: ProcessIdentity | undefined;
  /** How often in a row `main` said that no guest runs in it. */
  readonly noGuestCount: number;
  /** When the next attempt is due, as an agent that crashed wrote it down. */
  readonly rememberedRetryAt: MonotonicMs | undefined;
  /** How often in a row an act was given up before it began. */
  readonly abandonments: number;
  /** Not before this instant is anything done: an act found its intent withdrawn or unreadable. */
  readonly notBefore: MonotonicMs | undefined;
  /** The content of the record for which it is to stay exited, or is the source of a finished migration. */
  readonly exitedForContent: string | undefined;
  readonly migratedForContent: string | undefined;
  /** An act is ending, has just ended or has lately asked its main: how that process ends is not its own will. */
  readonly endingMain: boolean;
  /** The record changed under an act on an older one: should the act fail, the attempts so far do not count. */
  readonly forgiveFailure: boolean;
  /** What was said already, so that it is said once. */
  readonly saidBlocked: { readonly reason: BlockedReason; readonly at: MonotonicMs } | undefined;
  readonly saidDiffers: string | undefined;
  readonly saidPaused: boolean;
  /** The attempt whose beginning was said. */
  readonly saidStarting: number | undefined;
  /** For a person: what keeps it from being healthy. */
  readonly why: string | undefined;
}

/** Everything outside the VM that a rule may look at. */
export interface Situation {
  readonly now: MonotonicMs;
  readonly record: VmRecord;
  readonly health: HealthPolicy;
  readonly recovery: VmRecoveryPolicy;
  /** A hold or a lease asks to keep hands off. */
  readonly held: boolean;
  readonly leased: boolean;
  /** Force is suspended on this host. */
  readonly braked: boolean;
  /** Uniform in [0, 1): for jitter. */
  readonly chance: number;
}

/** The part of a VM that its successor needs should the agent die now. */
export function rememberedOf(vm: Vm, bootId: string): Omit<RuntimeState, "launchIntent"> {
  const { phase, loss, openAttempt } = vm;
  return {
    bootId,
    // The one that was lost too: only a process that was known can be known to be dead.
    main: vm.main?.identity ?? vm.lostProcess,
    runsWith: vm.main?.runsWith,
    incarnation: vm.incarnation,
    attempts: vm.attempts,
    retryAt: phase.name === "backing_off" || phase.name === "failed" ? phase.retryAt : undefined,
    failed: phase.name === "failed",
    recovering:
      loss === undefined || openAttempt === undefined
        ? undefined
        : { reason: openAttempt.recovery ? loss.reason : undefined, attempt: openAttempt.attempt, since: loss.at },
    exitedForContent: vm.exitedForContent,
    migratedForContent: vm.migratedForContent,
  };
}

export function isPhase(vm: Vm, ...names: readonly VmPhase[]): boolean {
  return names.includes(vm.phase.name);
}

/** A VM of which nothing is known but what an earlier agent of this boot wrote down. */
export function newVm(remembered: RuntimeState | undefined, now: MonotonicMs): Vm {
  const recovering = remembered?.recovering;
  return {
    phase: { name: "pending", since: now, looked: false },
    main: undefined,
    health: CLEAN_SHEET,
    loss: recovering === undefined ? undefined : { reason: recovering.reason, at: recovering.since, proven: true },
    openAttempt:
      recovering === undefined
        ? undefined
        : {
            attempt: recovering.attempt,
            recovery: recovering.reason !== undefined,
            startedAt: recovering.since,
          },
    endingMain: false,
    forgiveFailure: false,
    attempts: remembered?.attempts ?? 0,
    incarnation: remembered?.incarnation ?? 0,
    deadIncarnation: undefined,
    // A start that was refused ran nothing; one whose end is open may have.
    ranThisBoot: remembered !== undefined && (remembered.main !== undefined || remembered.launchIntent !== undefined),
    healthySince: undefined,
    lastSeenAt: undefined,
    lostProcess: remembered?.main,
    noGuestCount: 0,
    rememberedRetryAt: remembered?.retryAt,
    abandonments: 0,
    notBefore: undefined,
    exitedForContent: remembered?.exitedForContent,
    migratedForContent: remembered?.migratedForContent,
    saidBlocked: undefined,
    saidDiffers: undefined,
    saidPaused: false,
    saidStarting: undefined,
    why: undefined,
  };
}
