/**
 * Waiting for the world, with a deadline far beyond what it should need: tests of real hosts are synchronised by what
 * they see, never by time.
 * @module
 */

const DEADLINE_MS = 60_000;

/**
 * Polls until `look` returns something else than undefined or false.
 * @throws naming `what` and, where given, the `evidence` at the end
 */
export async function waitFor<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  evidence: () => string = () => "",
): Promise<T> {
  const deadlineAt = performance.now() + DEADLINE_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadlineAt) {
      throw new Error(`Cannot go on as it was not seen within ${DEADLINE_MS} ms: ${what}\n${evidence()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
