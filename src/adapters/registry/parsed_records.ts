/**
 * Remembers what was read from a file for as long as the file is the same.
 *
 * A file that was rewritten has another change time, but only if the clock that stamps it moved on in between: within one
 * tick a second change leaves no trace. Deno gives the time in whole seconds. So a reading counts as remembered only if the
 * file had been left alone for a while when it was read.
 * @module
 */

import type { BigIntStats } from "node:fs";
import type { InvalidRecord, ReadRecord } from "../../ports/registry.ts";

/** Coarser than any clock a file is stamped by. */
const SETTLED_AFTER_MS = 2000;

export type RecordEntry = ReadRecord | InvalidRecord;

export interface ParsedRecords {
  recall(path: string, stats: BigIntStats): RecordEntry | undefined;
  /** @param nowMs the wall clock when the file was opened */
  remember(path: string, stats: BigIntStats, nowMs: number, entry: RecordEntry): void;
  /** Forgets every path that is not among these. */
  keepOnly(paths: ReadonlySet<string>): void;
}

export function createParsedRecords(): ParsedRecords {
  const remembered = new Map<string, { readonly fingerprint: string; readonly entry: RecordEntry }>();
  return {
    recall(path, stats) {
      const found = remembered.get(path);
      return found !== undefined && found.fingerprint === fingerprintOf(stats) ? found.entry : undefined;
    },
    remember(path, stats, nowMs, entry) {
      if (nowMs - Number(stats.ctimeMs) >= SETTLED_AFTER_MS) {
        remembered.set(path, { fingerprint: fingerprintOf(stats), entry });
      } else remembered.delete(path);
    },
    keepOnly(paths) {
      for (const path of remembered.keys()) if (!paths.has(path)) remembered.delete(path);
    },
  };
}

/** The change time moves with the content, the owner and the mode alike. */
function fingerprintOf(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}
