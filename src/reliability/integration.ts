/**
 * The loop.
 * @module
 */

import type { Policy } from "../domain/policy.ts";
import type { Dependencies } from "./dependencies.ts";

/** How the subsystem ended. */
export type ReliabilityEnd =
  | { readonly kind: "stopped" }
  | { readonly kind: "locked"; readonly detail: string }
  | { readonly kind: "lock_unavailable"; readonly error: string };

export async function runReliability(
  _deps: Dependencies,
  _policy: Policy,
  _signal: AbortSignal,
): Promise<ReliabilityEnd> {
  return { kind: "stopped" };
}
