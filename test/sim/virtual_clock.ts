/**
 * Time that passes only when the world has nothing left to do at the present instant.
 *
 * One event runs, everything it causes is drained, and the clock moves to the next event. The order depends on nothing but
 * the seed, so a run can be repeated exactly, under either runtime. Instants are milliseconds since the world began, in
 * sixteenths, which a double holds exactly.
 * @module
 */

import type { Drain } from "./drain.ts";
import { EventHeap, type ScheduledEvent } from "./event_heap.ts";

/** More events than this at one instant mean that somebody spins: time would never go on. */
const EVENTS_OF_INSTANT_MAX = 100_000;

export class VirtualClock {
  /** Called when the world spins at one instant; it runs no further. */
  onStandstill: () => void = () => {};

  readonly #heap = new EventHeap();
  #nowMs = 0;
  #isHalted = false;
  #hash = 0x811c9dc5 | 0;
  #eventsRun = 0;
  #eventsOfInstant = 0;

  get now(): number {
    return this.#nowMs;
  }

  /** A digest of the instants of all events that ran and of what was mixed in. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  get eventsRun(): number {
    return this.#eventsRun;
  }

  get isHalted(): boolean {
    return this.#isHalted;
  }

  mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 16777619);
  }

  at(instant: number, run: () => void): ScheduledEvent {
    return this.#heap.push(Math.max(instant, this.#nowMs), run);
  }

  after(durationMs: number, run: () => void): ScheduledEvent {
    return this.#heap.push(this.#nowMs + durationMs, run);
  }

  /** Ends `runUntil` after the current event. */
  halt(): void {
    this.#isHalted = true;
  }

  /** Must be called from a macrotask: inside a microtask, the queue cannot be drained. */
  async runUntil(instant: number, drain: Drain): Promise<void> {
    const heap = this.#heap;
    while (!this.#isHalted) {
      const next = heap.peek();
      if (next === undefined || next.at > instant) break;
      heap.pop();
      const run = next.run;
      if (run === undefined) continue;
      next.run = undefined;
      this.#eventsOfInstant = next.at === this.#nowMs ? this.#eventsOfInstant + 1 : 0;
      if (this.#eventsOfInstant > EVENTS_OF_INSTANT_MAX) {
        this.onStandstill();
        break;
      }
      this.#nowMs = next.at;
      this.#eventsRun++;
      this.mix((next.at * 16) | 0);
      run();
      const pending = drain();
      if (pending !== undefined) await pending;
    }
    if (!this.#isHalted && this.#nowMs < instant) this.#nowMs = instant;
  }
}
