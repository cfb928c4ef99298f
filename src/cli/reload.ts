/**
 * Which keys a re-read configuration changes, and which of them only a restart can bring into force.
 * @module
 */

import { changedKeys, type Document, isDocument } from "../config/key_paths.ts";

/** What was opened, locked or started with these stays as it was. */
const FIXED_KEYS = ["registry", "state_dir", "durable_dir", "launcher", "telemetry"];

const NEEDS_RESTART = " (needs a restart)";

export interface Reload {
  /** Dotted keys, each with a note where it takes a restart. */
  readonly changed: readonly string[];
  /** What is in force from now on: the new values but for those that need a restart, so that the next reload names these again. */
  readonly inForce: Document;
}

export function reloaded(inForce: Document, written: Document): Reload {
  const changed = changedKeys(inForce, written).map((key) => (isFixed(key) ? key + NEEDS_RESTART : key));
  const next: Record<string, unknown> = { ...written };
  for (const key of FIXED_KEYS) next[key] = inForce[key];
  next["log"] = { ...section(written["log"]), format: section(inForce["log"])["format"] };
  return { changed, inForce: next };
}

function isFixed(key: string): boolean {
  return key === "log.format" || FIXED_KEYS.some((fixed) => key === fixed || key.startsWith(`${fixed}.`));
}

function section(value: unknown): Document {
  return isDocument(value) ? value : {};
}
