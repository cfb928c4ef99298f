/**
 * Which keys are due, in the order of their instants.
 *
 * A binary heap with a position per key, so that setting, moving and removing cost a logarithm, and a turn of the loop costs what
 * is due rather than what exists.
 * @module
 */

import type { MonotonicMs } from "../domain/time.ts";

interface Entry {
  readonly key: string;
  at: MonotonicMs;
  index: number;
}

export class DueQueue {
  readonly #heap: Entry[] = [];
  readonly #entries = new Map<string, Entry>();

  get size(): number {
    return this.#heap.length;
  }

  /** The earliest instant; undefined when nothing is queued. */
  get nextAt(): MonotonicMs | undefined {
    return this.#heap[0]?.at;
  }

  /** Queues `key` for `at`; a key stands in the queue once, so this moves it if it is there already. */
  set(key: string, at: MonotonicMs): void {
    const known = this.#entries.get(key);
    if (known === undefined) {
      const entry = { key, at, index: this.#heap.length };
      this.#entries.set(key, entry);
      this.#heap.push(entry);
      this.#rise(entry);
      return;
    }
    if (known.at === at) return;
    known.at = at;
    this.#rise(known);
    this.#sink(known);
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#place(last, entry.index);
    this.#rise(last);
    this.#sink(last);
  }

  /** Removes and returns the earliest key that is due at `now`; undefined when none is. */
  take(now: MonotonicMs): string | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.delete(first.key);
    return first.key;
  }

  #place(entry: Entry, index: number): void {
    entry.index = index;
    this.#heap[index] = entry;
  }

  #rise(entry: Entry): void {
    while (entry.index > 0) {
      const parent = this.#heap[(entry.index - 1) >> 1];
      if (parent === undefined || parent.at <= entry.at) return;
      const { index } = entry;
      this.#place(entry, parent.index);
      this.#place(parent, index);
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const left = this.#heap[2 * entry.index + 1];
      if (left === undefined) return;
      const right = this.#heap[2 * entry.index + 2];
      const child = right !== undefined && right.at < left.at ? right : left;
      if (child.at >= entry.at) return;
      const { index } = entry;
      this.#place(entry, child.index);
      this.#place(child, index);
    }
  }
}
