/**
 * What the name of a file in the registry says.
 * @module
 */

import { VM_ID_PATTERN, type VmId } from "../../domain/vm_record.ts";

export type NameReading =
  | { readonly kind: "record"; readonly id: VmId }
  /** Left by an editor or by a program that is about to rename it: nobody means it as a record. */
  | { readonly kind: "temporary" }
  | { readonly kind: "refused"; readonly error: string };

const SUFFIX = ".json";

export function readRecordFileName(name: string): NameReading {
  if (name.startsWith(".") || name.endsWith("~") || name.endsWith(".tmp")) return { kind: "temporary" };
  const id = name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : "";
  if (VM_ID_PATTERN.test(id)) return { kind: "record", id };
  const rule = `a file's name must be an id that matches ${VM_ID_PATTERN} and ${SUFFIX}`;
  return {
    kind: "refused",
    error: `Cannot use the file as a record as ${rule}: current value is ${JSON.stringify(name)}`,
  };
}

export function recordFileName(id: VmId): string {
  return `${id}${SUFFIX}`;
}
