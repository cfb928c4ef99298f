/**
 * Attributes in the JSON form of OTLP.
 *
 * 64-bit integers are decimal strings, as the JSON mapping of protobuf says: https://protobuf.dev/programming-guides/json/
 * Decoders take numbers too, but a number above 2^53 would not survive.
 * @module
 */

import type { Attributes } from "@opentelemetry/api";

export type AnyValueJson =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly arrayValue: { readonly values: readonly AnyValueJson[] } };

export interface KeyValueJson {
  readonly key: string;
  readonly value: AnyValueJson;
}

/** What has no form in OTLP (a function, a number that is not finite) is left out. */
export function keyValues(attributes: Attributes): KeyValueJson[] {
  const pairs: KeyValueJson[] = [];
  for (const [key, value] of Object.entries(attributes)) {
    const anyValue = anyValueOf(value);
    if (anyValue !== undefined) pairs.push({ key, value: anyValue });
  }
  return pairs;
}

function anyValueOf(value: unknown): AnyValueJson | undefined {
  switch (typeof value) {
    case "string":
      return { stringValue: value };
    case "boolean":
      return { boolValue: value };
    case "number":
      if (!Number.isFinite(value)) return undefined;
      return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
    default:
      if (!Array.isArray(value)) return undefined;
      return { arrayValue: { values: value.map(anyValueOf).filter((each) => each !== undefined) } };
  }
}

/** Nanoseconds since 1970 as decimal text, from milliseconds. */
export function unixNano(wallMs: number): string {
  const wholeMs = Math.floor(wallMs);
  const restNs = Math.round((wallMs - wholeMs) * 1e6);
  return String(BigInt(wholeMs) * 1_000_000n + BigInt(restNs));
}
