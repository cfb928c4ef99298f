/**
 * The values a configuration or a record is made of. Each has one rule, and the rule is the text of its error.
 * @module
 */

import { z } from "zod";
import { parseDuration } from "./durations.ts";

const CONTROL_CHARACTERS = /[\0-\x1f\x7f]/;

/** A duration with its unit, between two others; the result is milliseconds. */
export function duration(least: string, most: string) {
  const leastMs = parseDuration(least) ?? 0;
  const mostMs = parseDuration(most) ?? Number.POSITIVE_INFINITY;
  const error = `it must be a duration with a unit (ms, s, m, h, d) from "${least}" to "${most}"`;
  return z
    .custom<string>((value) => {
      const durationMs = typeof value === "string" ? parseDuration(value) : undefined;
      return durationMs !== undefined && durationMs >= leastMs && durationMs <= mostMs;
    }, error)
    .transform((text) => parseDuration(text) ?? 0);
}

export function wholeNumber(least: number, most: number) {
  return z.custom<number>(
    (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most,
    `it must be a whole number from ${least} to ${most}`,
  );
}

export function numberBetween(least: number, most: number) {
  return z.custom<number>(
    (value) => typeof value === "number" && value >= least && value <= most,
    `it must be a number from ${least} to ${most}`,
  );
}

export const flag = z.custom<boolean>((value) => typeof value === "boolean", "it must be true or false");

export function oneOf<const T extends string>(...words: readonly T[]) {
  return z.custom<T>(
    (value) => words.some((word) => word === value),
    `it must be ${words.length > 1 ? "one of " : ""}${words.map((word) => JSON.stringify(word)).join(", ")}`,
  );
}

/** An absolute path. Control characters are refused, as a path also stands in logs and on command lines. */
export const absolutePath = z.custom<string>(isAbsolutePath, "it must be an absolute path without control characters");

export function isAbsolutePath(value: unknown): value is string {
  return typeof value === "string" && value.startsWith("/") && value.length < 4096 && !CONTROL_CHARACTERS.test(value);
}

/** Text that can be handed to a program. */
export function isArgument(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}

/** An object with these keys and no others. */
export function section<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(shape, { error: "it must be an object" });
}

export function list<T extends z.ZodType>(item: T) {
  return z.array(item, { error: "it must be a list" });
}
