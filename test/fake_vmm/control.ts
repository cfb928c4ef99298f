/**
 * How a test tells a fake VMM what to do: a file, read afresh before each answer.
 *
 * It is the file given as `--config-file`, so that the command line of a fake is that of a real Firecracker.
 * @module
 */

import { appendFileSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";

/** What it does with a request. A fake that hangs still accepts connections. */
export type Conduct = "answer" | "hang" | "drip" | "close" | "garbage" | "error" | "flood";

export interface Control {
  /** @default "answer" */
  readonly conduct?: Conduct;
  /**
   * The guest's state, in the VMM's own word.
   * @default "Running"
   */
  readonly state?: string;
  /** The id it claims in place of its own. */
  readonly id?: string;
  /** The pid it claims in place of its own (Cloud Hypervisor). */
  readonly pid?: number;
  /** The guest takes no notice of a request to shut down. */
  readonly ignoresShutdown?: boolean;
  /** It exits with this code, at once. */
  readonly exitCode?: number;
  /** After its start, before it binds its socket. */
  readonly startDelayMs?: number;
}

/** Replaces what was told before. By rename, so that a reader never finds half of it. */
export function tell(path: string, control: Control): void {
  writeFileSync(`${path}.new`, JSON.stringify(control));
  renameSync(`${path}.new`, path);
}

/** @returns an obedient, running VMM where there is no file */
export function heed(path: string | undefined): Control {
  if (path === undefined) return {};
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return {};
  }
}

/** How often a fake was asked anything, whatever it did then: one byte each, in a file beside its control file. */
export function requestCount(path: string): number {
  return statSync(`${path}.requests`, { throwIfNoEntry: false })?.size ?? 0;
}

export function countRequest(path: string | undefined): void {
  if (path !== undefined) appendFileSync(`${path}.requests`, ".");
}
