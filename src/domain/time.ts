/**
 * Instants on the two clocks of a host.
 *
 * Elapsed time is measured on the monotonic clock, which only moves forward; the wall clock is for people and for
 * instants that another program wrote down. Both count milliseconds, so only the type keeps them apart, and mixing them
 * is the bug that shows up on the day somebody sets the date.
 * @module
 */

declare const monotonic: unique symbol;
declare const wall: unique symbol;

/** Milliseconds since the host booted (the origin survives a restart of the agent, not of the host). */
export type MonotonicMs = number & { readonly [monotonic]: true };

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type WallMs = number & { readonly [wall]: true };

export function monotonicMs(value: number): MonotonicMs {
  return value as MonotonicMs;
}

export function wallMs(value: number): WallMs {
  return value as WallMs;
}

/** The instant `durationMs` after `instant`; a negative duration gives one before it. */
export function after(instant: MonotonicMs, durationMs: number): MonotonicMs {
  return monotonicMs(instant + durationMs);
}
