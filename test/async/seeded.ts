/**
 * Repeatable chance for tests that try many cases: the same seed draws the same numbers under every runtime.
 * @module
 */

/** Mulberry32: https://github.com/bryc/code/blob/master/jshash/PRNGs.md */
export class Seeded {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** Uniform in 0 .. `countMax` - 1. */
  below(countMax: number): number {
    return Math.floor(this.next() * countMax);
  }

  /** @throws {RangeError} If `items` is empty. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError("Cannot pick as there is nothing to pick from: current value is []");
    return item;
  }
}
