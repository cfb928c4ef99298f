/**
 * Chance that can be repeated: mulberry32, whose only arithmetic is on 32-bit integers, so that every engine agrees.
 * https://gist.github.com/tommyettinger/46a874533244883189143505d203312c
 * @module
 */

import type { Random } from "../../src/ports/random.ts";

export class SimRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    const state = this.#state;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** A stream of its own, so that a draw more here changes nothing there. */
  fork(): SimRandom {
    return new SimRandom((this.next() * 4294967296) | 0);
  }

  /** An integer from 0 to `count - 1`. */
  int(count: number): number {
    return (this.next() * count) | 0;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Milliseconds in [min, max), in sixteenths. */
  betweenMs(min: number, max: number): number {
    return Math.floor((min + this.next() * (max - min)) * 16) / 16;
  }

  /** @throws {RangeError} when there is nothing to pick from */
  pick<T>(values: readonly T[]): T {
    const value = values[this.int(values.length)];
    if (value === undefined) throw new RangeError("Cannot pick as there must be a value: current value is []");
    return value;
  }
}
