/**
 * What came of a reload, from the agent to whoever asked for it: `reload-<pid>.json` beside the agent's lock.
 *
 * A signal has no answer, and `systemctl reload` must have one. The file does not lie in `state_dir`, since where that is
 * stands in the very configuration that may be wrong. Its number rises with each reload of one agent.
 * @module
 */

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { createReplacedFile } from "./replaced_file.ts";

/** Either nothing is wrong and `changed` names keys, or `errors` says what is. */
export interface ReloadOutcome {
  readonly errors: readonly string[];
  readonly changed: readonly string[];
}

export interface ReloadReading extends ReloadOutcome {
  readonly number: number;
}

/** @returns what publishes the outcomes of this process's reloads */
export function createReloadOutcomes(directory: string, pid: number): (outcome: ReloadOutcome) => void {
  // Of an earlier process of this number: its last outcome would be taken for what was there before the first of this one.
  remove(reloadPath(directory, pid));
  const file = createReplacedFile(reloadPath(directory, pid));
  let number = 0;
  return ({ errors, changed }) => {
    number += 1;
    file.replace(`${JSON.stringify({ number, errors, changed })}\n`);
  };
}

/** Removes those of agents that are gone. Agents of other registries have theirs in the same place, and may be writing one. */
export function removeOldOutcomes(directory: string): void {
  for (const name of namesIn(directory)) {
    const pid = /^reload-(\d+)\.json/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) remove(join(directory, name));
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // What is old stays.
  }
}

/** Undefined when nothing has been published yet. */
export function readReloadOutcome(directory: string, pid: number): ReloadReading | undefined {
  try {
    return reloadFile.parse(JSON.parse(readFileSync(reloadPath(directory, pid), "utf8")));
  } catch {
    return undefined;
  }
}

const reloadFile = z.object({ number: z.number().int(), errors: z.array(z.string()), changed: z.array(z.string()) });

function reloadPath(directory: string, pid: number): string {
  return join(directory, `reload-${pid}.json`);
}
