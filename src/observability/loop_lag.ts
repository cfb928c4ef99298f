/**
 * Measures how late the event loop is: a timer of one second, and by how much it fired after that.
 * @module
 */

const PERIOD_MS = 1_000;

/** @returns ends it */
export function startLoopLag(onLag: (lagMs: number) => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const arm = (): void => {
    const dueAt = performance.now() + PERIOD_MS;
    timer = setTimeout(() => {
      onLag(Math.max(0, performance.now() - dueAt));
      arm();
    }, PERIOD_MS);
  };
  arm();
  return () => clearTimeout(timer);
}
