/**
 * The processes of this host, from `/proc`.
 *
 * Completeness is the promise that fencing stands on. The kernel lists `/proc` in ascending order of pids and shows each
 * that lives when the listing passes it, so one that began before the scan and lives on is in the first listing. One that
 * began during the scan, as the child of a process that then ended, is in a later one: the table is listed again until
 * nothing new appears, or `LISTINGS_MAX` times where new processes appear without end. A pid that is used twice within
 * one scan is looked at once.
 *
 * What cannot be read is never left out: the scan is `unknown` then.
 * @module
 */

import { readdirSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { isDead, type ProcessFacts, type ProcessIdentity } from "../../domain/process.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Inspection, ProcessScan, ProcessTable } from "../../ports/process_table.ts";
import { answersReads } from "./answers_reads.ts";
import { readBootId } from "./boot_id.ts";
import type { Pidfds } from "./pidfd.ts";
import { createProcFileReader } from "./proc_file.ts";
import { createProgramMemory } from "./program_memory.ts";
import { type MemoryAccess, type ProcessSource, readProcess, readStat } from "./read_process.ts";
import { signalProcess } from "./signal_process.ts";
import { createSlices } from "./slices.ts";
import { liveTasks } from "./tasks.ts";

const LISTINGS_MAX = 4;
/** An `exec` is over in well under a millisecond, unless its program lies on a disk that does not answer. */
const UNSETTLED_LOOKS_MAX = 50;
const UNSETTLED_LOOK_MS = 10;
/** Most waits for a disk end meanwhile. */
const WAITING_LOOKS_MAX = 5;
const MEMORY_TIMEOUT_MS = 500;
const WCHAN_BYTES_MAX = 256;

export interface ProcessTableOptions {
  readonly clock: Clock;
  /** Undefined: signals go by pid, after the identity was read again. */
  readonly pidfds: Pidfds | undefined;
  /** @default "/proc" */
  readonly procPath?: string;
}

/** @throws {Error} When the identity of the boot cannot be read: no identity would mean anything. */
export function createProcessTable(options: ProcessTableOptions): ProcessTable {
  const { clock, pidfds, procPath = "/proc" } = options;
  const bootId = readBootId();
  const read = createProcFileReader();
  const source: ProcessSource = {
    read,
    procPath,
    bootId,
    now: () => clock.monotonic(),
    memory: createProgramMemory(),
  };

  const inspectNow = (identity: ProcessIdentity): Inspection => {
    if (identity.bootId !== bootId) return { kind: "dead" };
    const path = `${procPath}/${identity.pid}`;
    try {
      const stat = readStat(read, path);
      if (stat === undefined || stat.startTicks !== identity.startTicks) return { kind: "dead" };
      const { state, cpuMs } = stat;
      if (state !== "Z" && state !== "X") return { kind: "alive", state, cpuMs };
      const tasks = liveTasks(read, path).length;
      return isDead(state, tasks) ? { kind: "dead" } : { kind: "zombie_leader", liveTasks: tasks };
    } catch (error) {
      return { kind: "unknown", error: messageOf(error) };
    }
  };

  return {
    bootId,
    async scan() {
      const startedAt = clock.monotonic();
      try {
        return { kind: "scanned", startedAt, processes: await scanAll(source) };
      } catch (error) {
        return { kind: "unknown", error: messageOf(error) } satisfies ProcessScan;
      }
    },
    async describe(identity) {
      if (identity.bootId !== bootId) return undefined;
      try {
        const facts = await readSettled(source, identity.pid);
        return facts?.identity.startTicks === identity.startTicks ? facts : undefined;
      } catch {
        return undefined;
      }
    },
    inspect: async (identity) => inspectNow(identity),
    signal: async (identity, signal) => signalProcess({ pidfds, inspect: inspectNow }, identity, signal),
    async sleepsIn(identity) {
      if (inspectNow(identity).kind === "dead") return undefined;
      try {
        const symbol = read(`${procPath}/${identity.pid}/wchan`, WCHAN_BYTES_MAX).toString("latin1");
        return symbol === "" || symbol === "0" ? undefined : symbol;
      } catch {
        return undefined;
      }
    },
  };
}

async function scanAll(source: ProcessSource): Promise<readonly ProcessFacts[]> {
  const seen = new Set<number>();
  const unsettled: number[] = [];
  const found: ProcessFacts[] = [];
  const pauseWhenDue = createSlices();
  for (let listing = 0; listing < LISTINGS_MAX; listing += 1) {
    const pids = listPids(source.procPath).filter((pid) => !seen.has(pid));
    if (pids.length === 0) break;
    for (const pid of pids) {
      seen.add(pid);
      const reading = readProcess(source, pid, "unless_waiting");
      if (reading.kind === "facts") found.push(reading.facts);
      if (reading.kind === "changing" || reading.kind === "waiting") unsettled.push(pid);
      await pauseWhenDue();
    }
  }
  for (const pid of unsettled) {
    const facts = await readSettled(source, pid);
    if (facts !== undefined) found.push(facts);
  }
  source.memory.retain(seen);
  return found;
}

/** @throws {Error} When the table cannot be listed, or shows only a part of the processes. */
function listPids(procPath: string): readonly number[] {
  const pids = readdirSync(procPath).map(Number).filter(Number.isInteger);
  // Every pid namespace has a process 1. Where /proc is mounted with hidepid, others may not see it.
  if (!pids.includes(1)) {
    throw new Error(`Cannot list processes as ${procPath} must show those of all users: process 1 is not in it`);
  }
  return pids;
}

/**
 * Looks until the process is no longer between two programs. Undefined when it is dead, or a thread of the kernel.
 *
 * @throws {Error} When it cannot be read.
 */
async function readSettled(source: ProcessSource, pid: number): Promise<ProcessFacts | undefined> {
  let access: MemoryAccess = "unless_waiting";
  for (let looks = 1; looks <= UNSETTLED_LOOKS_MAX; looks += 1) {
    const reading = readProcess(source, pid, access);
    if (reading.kind === "facts") return reading.facts;
    if (reading.kind === "dead" || reading.kind === "kernel_thread") return undefined;
    if (reading.kind === "waiting" && looks >= WAITING_LOOKS_MAX) {
      access = (await answersReads(`${source.procPath}/${pid}/environ`, MEMORY_TIMEOUT_MS)) ? "always" : "never";
    }
    await setTimeout(UNSETTLED_LOOK_MS);
  }
  throw new Error(`Cannot read process ${pid} as it must have a program: it is between two of them for too long`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
