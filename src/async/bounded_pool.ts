/**
 * Runs tasks beside each other, never more than a fixed number at once; the others wait in the order in which they came.
 * @module
 */

export class BoundedPool {
  readonly #sizeMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#sizeMax) await new Promise<void>((admit) => this.#waiting.push(admit));
    else this.#running += 1;
    try {
      return await task();
    } finally {
      // The place passes on without being given back, so that nobody who comes in between can overtake.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
