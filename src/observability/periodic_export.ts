/**
 * Exports at an interval, one export at a time, and once more at the end.
 *
 * An export that takes longer than its interval delays the next one: nothing queues up behind a slow collector.
 * @module
 */

import { settledWithin } from "./settled_within.ts";

export interface Export {
  readonly intervalMs: number;
  /** Never rejected; settles soon after `signal` aborts, and within `timeoutMs`. */
  readonly run: (limits: { readonly timeoutMs: number; readonly signal: AbortSignal }) => Promise<void>;
  readonly timeoutMs: number;
}

export interface PeriodicExport {
  /** Lets what is under way end and exports a last time, within `timeoutMs` in all. What hangs for longer is left behind. */
  stop(timeoutMs: number): Promise<void>;
}

/** The first export is after `firstAfterMs`. */
export function startPeriodicExport({ intervalMs, run, timeoutMs }: Export, firstAfterMs: number): PeriodicExport {
  const cut = new AbortController();
  let stopped = false;
  let underWay: Promise<void> = Promise.resolve();
  let timer = setTimeout(turn, firstAfterMs);

  function turn(): void {
    const startedAt = performance.now();
    const next = (): void => {
      if (!stopped) timer = setTimeout(turn, Math.max(0, startedAt + intervalMs - performance.now()));
    };
    underWay = run({ timeoutMs, signal: cut.signal }).then(next, next);
  }

  return {
    async stop(stopTimeoutMs) {
      const deadlineAt = performance.now() + stopTimeoutMs;
      stopped = true;
      clearTimeout(timer);
      // What is under way may need a moment to arrive, and the last export needs the other half.
      const cutTimer = setTimeout(() => cut.abort(), stopTimeoutMs / 2);
      const hasEnded = await settledWithin(underWay, stopTimeoutMs);
      clearTimeout(cutTimer);
      const leftMs = deadlineAt - performance.now();
      if (!hasEnded || leftMs <= 0) return;
      const last = run({ timeoutMs: Math.min(leftMs, timeoutMs), signal: new AbortController().signal });
      await settledWithin(last, leftMs);
    },
  };
}
