/**
 * Ends every process of one run of a hook.
 *
 * Three nets: the process group of the hook, its session, and a mark in the environment that is unique to the run. A
 * process may fork while it is looked for, so the looks are repeated until one finds nothing.
 * @module
 */

import { readdirSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { variableOf } from "../process/environment.ts";
import { createProcFileReader, isForbidden, isVanished, type ReadProcFile } from "../process/proc_file.ts";
import { readStat } from "../process/read_process.ts";
import { createSlices } from "../process/slices.ts";

/** Unique to one run of a hook; its processes inherit it. */
export const HOOK_RUN_VARIABLE = "METALD_HOOK_RUN";

const ENVIRONMENT_BYTES_MAX = 8 * 1024 * 1024;
/** A process in an uninterruptible wait dies when the wait ends, and cannot be waited for. */
const LOOKS_MAX = 40;
const LOOK_MS = 25;

/** @param leaderPid of the hook's own process, which leads its group and session and has not been waited for yet */
export async function endHookProcesses(leaderPid: number, run: string): Promise<void> {
  const read = createProcFileReader();
  const leaderTicks = ticksOf(read, leaderPid);
  kill(-leaderPid);
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    // Once the leader was waited for, its pid may become another's, and with it the number of the session.
    const sessionId = [leaderTicks, undefined].includes(ticksOf(read, leaderPid)) ? leaderPid : undefined;
    const living = await findProcesses(read, sessionId, run);
    if (living.length === 0) return;
    for (const { pid, startTicks } of living) {
      if (ticksOf(read, pid) === startTicks) kill(pid);
    }
    await setTimeout(LOOK_MS);
  }
}

interface Found {
  readonly pid: number;
  readonly startTicks: number;
}

async function findProcesses(
  read: ReadProcFile,
  sessionId: number | undefined,
  run: string,
): Promise<readonly Found[]> {
  const pauseWhenDue = createSlices();
  const found: Found[] = [];
  for (const pid of readdirSync("/proc").map(Number).filter(Number.isInteger)) {
    await pauseWhenDue();
    const stat = statOf(read, pid);
    if (stat === undefined || stat.kernelThread || stat.state === "Z" || stat.state === "X") continue;
    if (stat.sessionId !== sessionId && !isMarked(read, pid, run)) continue;
    found.push({ pid, startTicks: stat.startTicks });
  }
  return found;
}

function isMarked(read: ReadProcFile, pid: number, run: string): boolean {
  try {
    return variableOf(read(`/proc/${pid}/environ`, ENVIRONMENT_BYTES_MAX), HOOK_RUN_VARIABLE) === run;
  } catch (error) {
    if (isVanished(error) || isForbidden(error)) return false;
    throw error;
  }
}

function ticksOf(read: ReadProcFile, pid: number): number | undefined {
  return statOf(read, pid)?.startTicks;
}

function statOf(read: ReadProcFile, pid: number): ReturnType<typeof readStat> {
  try {
    return readStat(read, `/proc/${pid}`);
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}
