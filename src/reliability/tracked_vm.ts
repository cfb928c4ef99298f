/**
 * One VM as the loop holds it: the rules' state, and what is under way for it.
 * @module
 */

import type { Policy } from "../domain/policy.ts";
import type { LaunchIntent, RuntimeState } from "../domain/runtime_state.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import type { VmId, VmRecord } from "../domain/vm_record.ts";
import type { AdmissionClass } from "../recovery/admission.ts";
import type { EffectivePolicy } from "../recovery/effective_policy.ts";
import { effectivePolicy } from "../recovery/effective_policy.ts";
import type { Holding } from "../recovery/holding.ts";
import { NOT_HELD } from "../recovery/holding.ts";
import type { Vm } from "../recovery/vm.ts";
import { newVm } from "../recovery/vm.ts";

/** An act under way. The loop neither probes the VM nor looks at it until the act has ended. */
export interface Act {
  readonly kind: "restart" | "stop";
  readonly class: AdmissionClass;
  readonly controller: AbortController;
}

export class TrackedVm {
  readonly id: VmId;
  record: VmRecord;
  /** When the reading began that gave the record. */
  recordReadAt: MonotonicMs;
  policy: EffectivePolicy;
  vm: Vm;
  holding: Holding = NOT_HELD;
  act: Act | undefined = undefined;
  probing = false;
  looking = false;
  /** Something said during a look that there is something to see. */
  lookAgain = false;
  nextProbeAt: MonotonicMs;
  /** When the last probe ended. */
  probedAt: number = Number.NEGATIVE_INFINITY;
  /** The first interval is cut at random, so that the probes of many VMs spread evenly. */
  spread = false;
  /** Since when what is known is known: a scan that began earlier says nothing new. */
  knownSince: MonotonicMs;
  openIntent: { readonly intent: LaunchIntent; readonly foundAt: MonotonicMs } | undefined;
  /** What an earlier agent knew of it. */
  readonly remembered: RuntimeState | undefined;
  /** Ends the watch for the end of its main process. */
  unwatch: (() => void) | undefined = undefined;
  deleted = false;

  constructor(record: VmRecord, policy: Policy, remembered: RuntimeState | undefined, now: MonotonicMs) {
    this.id = record.id;
    this.record = record;
    this.recordReadAt = now;
    this.policy = effectivePolicy(policy, record);
    this.remembered = remembered;
    this.vm = newVm(remembered, now);
    this.nextProbeAt = now;
    this.knownSince = now;
    const intent = remembered?.launchIntent;
    this.openIntent = intent === undefined ? undefined : { intent, foundAt: now };
  }

  apply(policy: Policy, record: VmRecord): void {
    this.record = record;
    this.policy = effectivePolicy(policy, record);
  }
}

/** How long after the start of a probe the next one is due. */
export function probePeriodMs(tracked: TrackedVm): number {
  const { health, phase, noGuestCount, loss } = tracked.vm;
  const { intervalMs, suspectIntervalMs } = tracked.policy.health;
  const lifting = health.unhealthy && health.consecutiveSuccesses > 0;
  const undecided = phase.name === "suspect" || phase.name === "verifying" || (noGuestCount > 0 && loss === undefined);
  return lifting || undecided ? suspectIntervalMs : intervalMs;
}

/** The part of a period within which probes are made together. */
const TOGETHER_FRACTION = 0.01;

/**
 * When the probe is made that is due at `at`: with the others that are due at about the same time, since to wake for each of a thousand
 * costs more than the probes.
 */
export function probedTogether(at: MonotonicMs, periodMs: number): MonotonicMs {
  const stepMs = periodMs * TOGETHER_FRACTION;
  return after(at, Math.round(at / stepMs) * stepMs - at);
}

/** When the probe of a main process that was just found is due. */
export function firstProbeAt(tracked: TrackedVm, now: MonotonicMs, chance: number): MonotonicMs {
  return after(now, tracked.policy.health.suspectIntervalMs * chance);
}
