/**
 * What happened in a simulated world, kept for the one run in a thousand that fails.
 *
 * A ring of unformatted entries: a run that passes pays for four stores an entry and formats nothing.
 * @module
 */

import type { VirtualClock } from "./virtual_clock.ts";

const ENTRIES_MAX = 4096;

export class EventLog {
  readonly #clock: VirtualClock;
  readonly #words = new Map<string, number>();
  readonly #instants: number[] = [];
  readonly #kinds: string[] = [];
  readonly #subjects: string[] = [];
  readonly #details: unknown[] = [];
  #count = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** @param detail kept as it is, so it must not change afterwards */
  write(kind: string, subject: string, detail?: unknown): void {
    const slot = this.#count % ENTRIES_MAX;
    this.#count++;
    this.#instants[slot] = this.#clock.now;
    this.#kinds[slot] = kind;
    this.#subjects[slot] = subject;
    this.#details[slot] = detail;
    this.#clock.mix(this.#wordOf(kind));
    this.#clock.mix(this.#wordOf(subject));
  }

  /** The last entries, oldest first, a line each: seconds, kind, subject, detail. */
  lines(countMax: number): string[] {
    const lines: string[] = [];
    const from = Math.max(0, this.#count - Math.min(countMax, ENTRIES_MAX));
    for (let index = from; index < this.#count; index++) {
      const slot = index % ENTRIES_MAX;
      const seconds = ((this.#instants[slot] ?? 0) / 1000).toFixed(3).padStart(11);
      const detail = this.#details[slot];
      const kind = (this.#kinds[slot] ?? "").padEnd(22);
      lines.push(`${seconds} ${kind} ${(this.#subjects[slot] ?? "").padEnd(6)} ${format(detail)}`.trimEnd());
    }
    return lines;
  }

  #wordOf(word: string): number {
    let number = this.#words.get(word);
    if (number === undefined) {
      number = this.#words.size + 1;
      this.#words.set(word, number);
    }
    return number;
  }
}

function format(detail: unknown): string {
  if (detail === undefined) return "";
  return typeof detail === "string" ? detail : JSON.stringify(detail);
}
