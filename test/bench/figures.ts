/**
 * What a bench measured, as lines for people: the figure, the bound beside it, and MISSED where it is.
 * @module
 */

export interface Bound {
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** Prints one figure. */
export function say(what: string, value: number, unit: string, bound: Bound = {}): void {
  const { atMost, atLeast } = bound;
  const limits = [
    ...(atMost === undefined ? [] : [`<= ${format(atMost)}`]),
    ...(atLeast === undefined ? [] : [`>= ${format(atLeast)}`]),
  ].join(" ");
  const missed = !(value <= (atMost ?? Number.POSITIVE_INFINITY) && value >= (atLeast ?? Number.NEGATIVE_INFINITY));
  console.log(`  ${what.padEnd(66)} ${`${format(value)} ${unit}`.padStart(14)}  ${limits}${missed ? "  MISSED" : ""}`);
}

/** The value below which `fraction` of the values lie. @throws {RangeError} when there are none */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))];
  if (value === undefined)
    throw new RangeError("Cannot give a quantile as there must be values: current value is none");
  return value;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function format(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
