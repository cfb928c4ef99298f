/**
 * Empties the microtask queue between two events of the simulated world, so that everything an event causes has happened
 * before the next.
 *
 * Both runtimes can do it synchronously (0.25 us a call); waiting for a macrotask instead costs five to ten times that,
 * which is the difference between 10,000 simulated hours a minute and a thousand. The slow way is the fallback.
 * @module
 */

import { setImmediate } from "node:timers";

/** Returns a promise when the queue could only be left to empty itself. */
export type Drain = () => Promise<void> | undefined;

export async function loadDrain(): Promise<Drain> {
  try {
    const runtime = "Bun" in globalThis ? await import("./drain_bun.ts") : await import("./drain_deno.ts");
    return await runtime.load();
  } catch {
    return () => new Promise((resolve) => setImmediate(resolve));
  }
}
