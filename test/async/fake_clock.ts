/**
 * A clock that stands still until a test moves it. The wall clock can be set apart from the monotonic one, as on a
 * host.
 * @module
 */

import type { MonotonicMs, WallMs } from "../../src/domain/time.ts";
import { monotonicMs, wallMs } from "../../src/domain/time.ts";
import type { Clock } from "../../src/ports/clock.ts";

interface Timer {
  readonly at: MonotonicMs;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  #nowMs = 0;
  #wallOffsetMs = 1_700_000_000_000;
  readonly #timers = new Set<Timer>();

  /** Timers that neither ran nor were cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  monotonic(): MonotonicMs {
    return monotonicMs(this.#nowMs);
  }

  wall(): WallMs {
    return wallMs(this.#wallOffsetMs + this.#nowMs);
  }

  /** Somebody sets the date. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  schedule(at: MonotonicMs, callback: () => void): () => void {
    const timer = { at, callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Moves to the instant `byMs` from now, and runs what is due until then in the order of its instants. */
  advance(byMs: number): void {
    const until = this.#nowMs + byMs;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.at);
      due.callback();
    }
    this.#nowMs = until;
  }
}
