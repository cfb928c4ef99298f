/**
 * How long to wait before an attempt: exponential, capped, jittered.
 *
 * The first attempt is immediate. Jitter keeps VMs that died together from coming back together for ever.
 * @module
 */

import type { RecoveryPolicy } from "../domain/policy.ts";

export type BackoffPolicy = Pick<RecoveryPolicy, "retryIntervalMs" | "backoffFactor" | "maxRetryIntervalMs" | "jitter">;

/**
 * @param attempt number of the attempt that is waited for, from 1
 * @param chance uniform in [0, 1)
 * @returns milliseconds, never negative
 */
export function retryDelayMs(attempt: number, policy: BackoffPolicy, chance: number): number {
  if (attempt <= 1) return 0;
  // The power overflows to Infinity long before the attempts do; the cap makes that harmless.
  const delayMs = Math.min(policy.retryIntervalMs * policy.backoffFactor ** (attempt - 2), policy.maxRetryIntervalMs);
  return jittered(delayMs, policy.jitter, chance);
}

/** `durationMs` moved by up to `fraction` of itself, both ways. */
export function jittered(durationMs: number, fraction: number, chance: number): number {
  return Math.max(0, Math.round(durationMs * (1 + fraction * (2 * chance - 1))));
}
