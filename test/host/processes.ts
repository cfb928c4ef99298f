/**
 * The host's processes, as a test looks for its own among them.
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { waitFor } from "./wait.ts";

/** The pids of the living processes with `METALD_VM_ID=<id>` in their environment. */
export function processesOf(id: string): readonly number[] {
  return allPids().filter((pid) => isAlive(pid) && environmentOf(pid).includes(`METALD_VM_ID=${id}`));
}

/** Neither gone nor a zombie. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  const pages = readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1];
  return Number(pages) * 4096;
}

/** Kills one process and waits until it is dead. */
export async function kill(pid: number): Promise<void> {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It was gone already.
  }
  await waitFor(`process ${pid} is dead`, () => !isAlive(pid));
}

function allPids(): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);
}

function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
  } catch {
    return [];
  }
}
