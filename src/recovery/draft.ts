/**
 * A step of a VM's life in the making: the state as it changes, and what is to be reported of it.
 *
 * The functions that build a step share one draft, so that a step that has several reasons says each once.
 *
 * Pure.
 * @module
 */

import type { ReliabilityEvent } from "../domain/event.ts";
import type { Phase, Situation, Vm } from "./vm.ts";

export interface Step {
  readonly vm: Vm;
  readonly events: readonly ReliabilityEvent[];
}

/** A step in the making. */
export class Draft {
  vm: Vm;
  readonly events: ReliabilityEvent[] = [];
  readonly situation: Situation;

  constructor(vm: Vm, situation: Situation) {
    this.vm = vm;
    this.situation = situation;
  }

  set(change: Partial<Vm>): void {
    this.vm = { ...this.vm, ...change };
  }

  /** Enters a phase; staying in one keeps its `since`, and staying in it unchanged changes nothing. */
  enter(phase: Phase): void {
    const { phase: current } = this.vm;
    const since = phase.name === current.name ? current.since : phase.since;
    const entered = { ...phase, since };
    const differs = Object.entries(entered).some(([key, value]) => Reflect.get(current, key) !== value);
    if (differs) this.vm = { ...this.vm, phase: entered };
  }

  /** The VM runs as it should, or is not meant to run: what was said of its loss may be said of the next one. */
  endLoss(): void {
    this.set({
      loss: undefined,
      saidBlocked: undefined,
      saidStarting: undefined,
      rememberedRetryAt: undefined,
      abandonments: 0,
      why: undefined,
    });
  }

  report(event: ReliabilityEvent): void {
    this.events.push(event);
  }
}
