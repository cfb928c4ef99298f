/**
 * Finds and ends the processes that carry a mark in their environment, and no others: a pid is signalled only while its start
 * time is the one that was read together with the mark.
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

export interface MarkedProcess {
  readonly pid: number;
  /** Field 22 of `/proc/<pid>/stat`. */
  readonly startTicks: number;
}

/** Living processes with `<variable>=<value>` in their environment. */
export function markedProcesses(variable: string, value: string): MarkedProcess[] {
  const found: MarkedProcess[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const startTicks = startTicksOf(Number(name));
    if (startTicks === undefined) continue;
    if (textOf(`/proc/${name}/environ`)?.split("\0").includes(`${variable}=${value}`)) {
      found.push({ pid: Number(name), startTicks });
    }
  }
  return found;
}

/** Sends SIGKILL, unless the process has ended already. */
export function endProcess({ pid, startTicks }: MarkedProcess): void {
  if (startTicksOf(pid) !== startTicks) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Undefined: no such process, or one that is dead and only waits for its parent. */
function startTicksOf(pid: number): number | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  // The name of the program stands in parentheses and may hold any character.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields === undefined || fields[0] === "Z" || fields[0] === "X" ? undefined : Number(fields[19]);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It ended meanwhile, or is another user's and thus none of ours.
    return undefined;
  }
}
