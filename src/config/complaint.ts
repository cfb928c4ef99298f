/**
 * How an error in a file reads: which key, which rule, which value. Everything that is wrong is said at once. What may be a secret
 * is not said.
 *
 * `Cannot use health_check.intervall as the key is unknown, did you mean health_check.interval: current value is "30s"`
 * @module
 */

import type { z } from "zod";
import { hidden, isHarmless, isPlain, mayHoldSecret, shownKey } from "./secrets.ts";

const VALUE_LENGTH_MAX = 120;

/** @param key dotted path of the key; empty for the whole document */
export function complaint(key: string, rule: string, value: unknown): string {
  return sentence(key, rule, shown(value, mayHoldSecret(key)));
}

/**
 * One complaint for each wrong value and each unknown key.
 *
 * @param document what was validated
 * @param knownKeys dotted paths, from which the nearest is suggested
 */
export function complaintsOf(error: z.ZodError, document: unknown, knownKeys: readonly string[]): string[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code !== "unrecognized_keys") return [complaint(dotted(path), issue.message, valueAt(document, path))];
    return issue.keys.map((key) => {
      const unknown = [...path, key];
      const nearest = nearestKey(dotted(unknown), knownKeys);
      const hint = nearest === undefined ? "" : `, did you mean ${nearest}`;
      const value = valueAt(document, unknown);
      const isSecret = nearest === undefined || mayHoldSecret(nearest) || !isPlain(value);
      return sentence(dotted(unknown), `the key is unknown${hint}`, shown(value, isSecret));
    });
  });
}

function sentence(key: string, rule: string, valueText: string): string {
  return `Cannot use ${key === "" ? "the document" : key} as ${rule}: current value is ${valueText}`;
}

/** What is no single value is named by its kind: any key may stand in it. */
function shown(value: unknown, isSecret: boolean): string {
  if (value === undefined) return "absent";
  if (!isHarmless(value) && (isSecret || typeof value === "object")) return hidden(value);
  const text = JSON.stringify(value) ?? typeof value;
  return text.length <= VALUE_LENGTH_MAX ? text : `${text.slice(0, VALUE_LENGTH_MAX)}...`;
}

/** `launch.argv[0]`, `recovery.brake.hold`; a key with odd characters is quoted, and cut there. */
function dotted(path: readonly string[]): string {
  let text = "";
  for (const part of path) {
    if (/^\d+$/.test(part)) text += `[${part}]`;
    else if (/^[\w-]+$/.test(part)) text += `${text === "" ? "" : "."}${shownKey(part)}`;
    else text += `[${JSON.stringify(shownKey(part))}]`;
  }
  return text;
}

/** A short form (a text where an object may stand) is its own value for all keys below it. */
function valueAt(document: unknown, path: readonly string[]): unknown {
  let value = document;
  for (const part of path) {
    if (typeof value === "string") return value;
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Object.getOwnPropertyDescriptor(value, part)?.value;
  }
  return value;
}

/** The key that is meant: one spelt almost so, or one of the same name in another section. */
function nearestKey(unknown: string, knownKeys: readonly string[]): string | undefined {
  const name = unknown.slice(unknown.lastIndexOf(".") + 1);
  const elsewhere = knownKeys.find((key) => key.slice(key.lastIndexOf(".") + 1) === name);
  if (elsewhere !== undefined) return elsewhere;
  let nearest: string | undefined;
  // Two slips, or one in a short word: anything farther is a guess.
  let least = name.length > 4 ? 3 : 2;
  for (const key of knownKeys) {
    // A key of any length may stand in a file.
    if (Math.abs(key.length - unknown.length) >= least) continue;
    const distance = editDistance(unknown, key);
    if (distance < least) {
      nearest = key;
      least = distance;
    }
  }
  return nearest;
}

/** Levenshtein's distance: insertions, deletions and replacements from `a` to `b`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
