/**
 * The keys of a document by their dotted paths.
 * @module
 */

export type Document = Readonly<Record<string, unknown>>;

export function isDocument(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Every key that holds something other than a section, as `recovery.brake.hold`, with its value. */
export function leavesOf(document: Document, prefix = ""): Map<string, unknown> {
  const leaves = new Map<string, unknown>();
  for (const [key, value] of Object.entries(document)) {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    if (!isDocument(value)) leaves.set(path, value);
    else for (const [below, leaf] of leavesOf(value, path)) leaves.set(below, leaf);
  }
  return leaves;
}

/** The keys whose values differ, in the order of `after`. */
export function changedKeys(before: Document, after: Document): string[] {
  const old = leavesOf(before);
  const current = leavesOf(after);
  const keys = new Set([...current.keys(), ...old.keys()]);
  return [...keys].filter((key) => JSON.stringify(old.get(key)) !== JSON.stringify(current.get(key)));
}
