/**
 * What a process costs its host: processor time and memory, as the kernel counts them.
 * @module
 */

import { readFileSync } from "node:fs";

/** Of all of its threads, in steps of 10 ms: `utime` and `stime` of proc_pid_stat(5), which are scaled to the exact run time. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident set, file-backed pages of the program among it. */
export function residentMib(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) / 256;
}

/** The share of one core that a process takes over the time given. */
export async function cpuShare(pid: number, seconds: number): Promise<number> {
  const startedAtMs = performance.now();
  const before = cpuMs(pid);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  return (cpuMs(pid) - before) / (performance.now() - startedAtMs);
}
