/**
 * What came of a reload, from the agent to whoever asked for it: `reload-<pid>.json` beside the agent's lock.
 *
 * A signal has no answer, and `systemctl reload` must have one. The file does not lie in `state_dir`, since where that is
 * stands in the very configuration that may be wrong. Its number rises with each reload of one agent.
 * @module
 */

import { readdirSync, readFileSync, rmSync } from "node:fs";
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
  removeOld(directory);
  const file = createReplacedFile(reloadPath(directory, pid));
  let number = 0;
  return ({ errors, changed }) => {
    number += 1;
    file.replace(`${JSON.stringify({ number, errors, changed })}\n`);
  };
}

/** Those of agents that are gone, and of an earlier process of this number. One that lives writes its own anew at each reload. */
function removeOld(directory: string): void {
  try {
    for (const name of readdirSync(directory)) {
      if (/^reload-\d+\.json/.test(name)) rmSync(join(directory, name), { force: true });
    }
  } catch {
    // There is no directory yet, or what is old stays.
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
