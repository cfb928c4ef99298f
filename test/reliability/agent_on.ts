/**
 * Runs the loop on a quiet host for as long as a test lasts.
 * @module
 */

import type { Policy } from "../../src/domain/policy.ts";
import { runReliability } from "../../src/reliability/integration.ts";
import type { QuietHost } from "./quiet_host.ts";
import { POLICY } from "./quiet_host.ts";

/** The agent starts, takes its first look, and is stopped when `during` has ended. */
export async function withAgent(host: QuietHost, during: () => Promise<void>, policy: Policy = POLICY): Promise<void> {
  const abort = new AbortController();
  const running = runReliability(host.dependencies, policy, abort.signal);
  try {
    await host.pass(100);
    await during();
  } finally {
    abort.abort();
    await host.pass(5_000, 100);
    await running;
  }
}
