/**
 * Waiting on the injected clock.
 * @module
 */

import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import type { Clock } from "../ports/clock.ts";

/** What `withDeadline` gives when time ran out. The work goes on unobserved; its effects must be harmless by design. */
export const TIMED_OUT = Symbol("timed out");

/** Waits until `at`, or until `signal` aborts, whichever is first. */
export function sleepUntil(clock: Clock, at: MonotonicMs, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const end = () => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.schedule(at, end);
    signal?.addEventListener("abort", end, { once: true });
  });
}

export function sleep(clock: Clock, durationMs: number, signal?: AbortSignal): Promise<void> {
  return sleepUntil(clock, after(clock.monotonic(), durationMs), signal);
}

/** The outcome of `work`, or `TIMED_OUT` after `timeoutMs`. */
export function withDeadline<T>(clock: Clock, timeoutMs: number, work: Promise<T>): Promise<T | typeof TIMED_OUT> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(after(clock.monotonic(), timeoutMs), () => resolve(TIMED_OUT));
    work.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
