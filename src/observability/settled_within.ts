/**
 * Waits for work that nobody can end, for a while.
 * @module
 */

/** Resolves to whether `work` has ended, well or not, within the time. What comes of it later is not heard. */
export function settledWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMs);
    const end = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    work.then(end, end);
  });
}
