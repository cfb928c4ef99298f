/**
 * Durations as people read them: `350ms`, `1.25s`, `2m5s`, `1h30m`.
 *
 * Each form is one that Go's `time.ParseDuration` reads, and so `duration()` in the query language of Loki:
 * https://pkg.go.dev/time#ParseDuration
 * @module
 */

/**
 * Milliseconds to text: three digits below 100 ms, whole milliseconds below a minute, whole seconds from then on.
 * Parts that are zero are left out, days are hours.
 */
export function durationText(durationMs: number): string {
  if (!Number.isFinite(durationMs)) return "unknown";
  if (durationMs < 0) return `-${durationText(-durationMs)}`;
  if (durationMs < 10) return durationMs < 0.005 ? "0s" : `${round(durationMs, 2)}ms`;
  if (durationMs < 100) return `${round(durationMs, 1)}ms`;
  const wholeMs = Math.round(durationMs);
  if (wholeMs < 1_000) return `${wholeMs}ms`;
  if (wholeMs < 60_000) return `${wholeMs / 1_000}s`;
  const wholeSeconds = Math.round(wholeMs / 1_000);
  const parts = [
    { count: Math.floor(wholeSeconds / 3_600), unit: "h" },
    { count: Math.floor(wholeSeconds / 60) % 60, unit: "m" },
    { count: wholeSeconds % 60, unit: "s" },
  ];
  return parts
    .filter(({ count }) => count > 0)
    .map(({ count, unit }) => `${count}${unit}`)
    .join("");
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
