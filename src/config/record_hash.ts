/**
 * What tells one content of a record from another: a hash of its values.
 *
 * Hashes outlive the version that made them, in the environment of running VMs and in state files. So what a record
 * leaves to a default does not count, or a version with one key more would take every running VM for another one.
 * Neither do comments, the order of keys, or how a duration is written.
 *
 * Pure.
 * @module
 */

import { createHash } from "node:crypto";
import { isDocument } from "./key_paths.ts";

/**
 * The first 64 bits of SHA-256, in hexadecimal.
 *
 * @param values the values of a record, or some of them
 * @param defaults what they are where the record is silent; a list's one item is the default of each item
 */
export function recordHash(values: unknown, defaults: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(beyond(values, defaults), sorted))
    .digest("hex")
    .slice(0, 16);
}

/** The values without those that are their defaults. */
function beyond(value: unknown, defaults: unknown): unknown {
  if (Array.isArray(value) && Array.isArray(defaults)) return value.map((item) => beyond(item, defaults[0]));
  if (!isDocument(value) || !isDocument(defaults)) return value;
  const said = Object.entries(value)
    .map(([name, part]) => [name, beyond(part, defaults[name])] as const)
    .filter(([name, part]) => !isEmpty(part) && JSON.stringify(part) !== JSON.stringify(defaults[name]));
  return Object.fromEntries(said);
}

/** A section or a list in which nothing is said. */
function isEmpty(part: unknown): boolean {
  if (Array.isArray(part)) return part.length === 0;
  return isDocument(part) && Object.keys(part).length === 0;
}

function sorted(_key: string, value: unknown): unknown {
  if (!isDocument(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
