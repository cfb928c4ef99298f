/**
 * The living tasks of a process.
 *
 * When the first thread of a process ends before the others, the process reads as a zombie: its arguments, environment
 * and open files look empty although the other threads run on with them. They show under `task/<tid>`.
 * @module
 */

import { readdirSync } from "node:fs";
import { isVanished, type ReadProcFile } from "./proc_file.ts";
import { parseStat } from "./stat.ts";

const STAT_BYTES_MAX = 4096;

/**
 * Thread ids that are neither Z nor X; none when the process is gone.
 *
 * @throws {Error} When the tasks cannot be read for another reason than their end.
 */
export function liveTasks(read: ReadProcFile, processPath: string): readonly string[] {
  let ids: readonly string[];
  try {
    ids = readdirSync(`${processPath}/task`);
  } catch (error) {
    if (isVanished(error)) return [];
    throw error;
  }
  return ids.filter((id) => isTaskLive(read, `${processPath}/task/${id}`));
}

function isTaskLive(read: ReadProcFile, taskPath: string): boolean {
  try {
    const state = parseStat(read(`${taskPath}/stat`, STAT_BYTES_MAX).toString("latin1"))?.state;
    return state !== undefined && state !== "Z" && state !== "X";
  } catch (error) {
    if (isVanished(error)) return false;
    throw error;
  }
}
