/**
 * Sends one body to the collector, again where that can help, inside one deadline.
 *
 * Only what the protocol calls retryable is sent again, and a network error: https://opentelemetry.io/docs/specs/otlp/#retry
 * A collector that asks for a longer wait than is left has its way: nothing is sent to it before that.
 * @module
 */

import type { PostOutcome } from "./collector_answer.ts";
import type { SignalTarget } from "./otlp_plan.ts";
import { post } from "./otlp_post.ts";

const FIRST_WAIT_MS = 500;
const WAIT_FACTOR = 2;
const WAIT_MS_MAX = 5_000;
const JITTER = 0.2;
/** A collector may ask for an hour by mistake. */
const RETRY_AFTER_MS_MAX = 300_000;

export type SendOutcome =
  | { readonly kind: "accepted" }
  | { readonly kind: "partial"; readonly error: string }
  /** The body was; a smaller one may be taken. */
  | { readonly kind: "too_large"; readonly error: string }
  | { readonly kind: "failed"; readonly error: string };

export interface SendLimits {
  /** For all tries together. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface SenderOptions {
  /** Milliseconds on a clock that only moves forward. */
  readonly monotonic: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export interface OtlpSender {
  /** Never rejected. */
  send(json: string, limits: SendLimits): Promise<SendOutcome>;
}

export function createOtlpSender(target: SignalTarget, { monotonic, random }: SenderOptions): OtlpSender {
  let notBefore = 0;

  async function send(json: string, { timeoutMs, signal }: SendLimits): Promise<SendOutcome> {
    const deadlineAt = monotonic() + timeoutMs;
    const heldMs = notBefore - monotonic();
    if (heldMs > 0) {
      if (heldMs >= timeoutMs) return failed(undefined, `it asked to wait for ${Math.ceil(heldMs / 1_000)} s`);
      await pause(heldMs, signal);
    }
    let waitMs = FIRST_WAIT_MS;
    let last: PostOutcome | undefined;
    for (;;) {
      const leftMs = deadlineAt - monotonic();
      if (leftMs <= 0 || signal.aborted) return failed(last, signal.aborted ? "the agent stops" : "no time was left");
      last = await post(target, json, { timeoutMs: leftMs, signal });
      if (last.kind === "refused") return { kind: "failed", error: last.error };
      if (last.kind !== "retryable") return last;
      const askedMs = Math.min(last.retryAfterMs ?? 0, RETRY_AFTER_MS_MAX);
      notBefore = monotonic() + askedMs;
      // It may ask for no wait at all, and be besieged by all its agents.
      const pauseMs = Math.max(askedMs, waitMs * (1 + JITTER * (2 * random() - 1)));
      if (monotonic() + pauseMs >= deadlineAt) return failed(last, "");
      await pause(pauseMs, signal);
      waitMs = Math.min(waitMs * WAIT_FACTOR, WAIT_MS_MAX);
    }
  }

  return { send };
}

function failed(last: PostOutcome | undefined, otherwise: string): SendOutcome {
  return { kind: "failed", error: last !== undefined && "error" in last ? last.error : otherwise };
}

function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  });
}
