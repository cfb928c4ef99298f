/**
 * Reads what `/proc` shows of one process.
 *
 * A process may end, fork or replace its program between any two reads. One that ends is left out. One in the midst of
 * an `exec` has no arguments and no environment for a moment and must be looked at again, or a VM that is just starting
 * would go unseen. One that ends slowly, such as a killed VMM that waits for its disk, has lost both and still holds its
 * files: what was seen of it before is what it is.
 * @module
 */

import type { ProcessFacts } from "../../domain/process.ts";
import type { MonotonicMs } from "../../domain/time.ts";
import { isVanished, type ReadProcFile } from "./proc_file.ts";
import type { ProgramMemory } from "./program_memory.ts";
import { type ProgramParts, readProgram } from "./read_program.ts";
import { parseStat, type Stat, TICKS_PER_SECOND } from "./stat.ts";
import { liveTasks } from "./tasks.ts";

const STAT_BYTES_MAX = 4096;

export type ProcessReading =
  | { readonly kind: "facts"; readonly facts: ProcessFacts }
  /** Dead or gone. */
  | { readonly kind: "dead" }
  /** A thread of the kernel: it can be nobody's VM. */
  | { readonly kind: "kernel_thread" }
  /** Between two programs, or ending: another look will tell. */
  | { readonly kind: "changing" };

export interface ProcessSource {
  readonly read: ReadProcFile;
  readonly procPath: string;
  readonly bootId: string;
  readonly now: () => MonotonicMs;
  readonly memory: ProgramMemory;
}

/** @throws {Error} When the process lives and cannot be read for another reason than permission on a part of it. */
export function readProcess(source: ProcessSource, pid: number): ProcessReading {
  const path = `${source.procPath}/${pid}`;
  const stat = readStat(source.read, path);
  if (stat === undefined) return { kind: "dead" };
  if (stat.kernelThread) return { kind: "kernel_thread" };
  const zombie = stat.state === "Z" || stat.state === "X";
  const tasks = zombie ? liveTasks(source.read, path) : undefined;
  if (tasks?.length === 0) return { kind: "dead" };
  const ageMs = Math.max(0, source.now() - stat.startTicks * (1000 / TICKS_PER_SECOND));
  const parts = partsOf(source, pid, stat, ageMs, tasks?.[0]);
  if (parts === "changing") return { kind: "changing" };
  return {
    kind: "facts",
    facts: {
      identity: { bootId: source.bootId, pid, startTicks: stat.startTicks },
      parentPid: stat.parentPid,
      sessionId: stat.sessionId,
      state: stat.state,
      // Threads other than the first leave no zombie behind, so while the first lives all that are counted live.
      liveTasks: tasks?.length ?? stat.threads,
      ageMs,
      ...parts,
    },
  };
}

function partsOf(
  source: ProcessSource,
  pid: number,
  stat: Stat,
  ageMs: number,
  task: string | undefined,
): ProgramParts | "changing" {
  const remembered = source.memory.recall(pid, stat, ageMs);
  if (remembered !== undefined) return remembered;
  const path = task === undefined ? `${source.procPath}/${pid}` : `${source.procPath}/${pid}/task/${task}`;
  const hasMemory = stat.hasMemory || task !== undefined;
  try {
    const { parts, blank } = readProgram(source.read, path, hasMemory);
    if (blank && stat.hasMemory && stat.program === undefined) return "changing";
    const known = hasMemory ? parts : source.memory.recallEnding(pid, stat, parts);
    source.memory.remember(pid, stat, known, ageMs);
    return known;
  } catch (error) {
    if (isVanished(error)) return "changing";
    throw error;
  }
}

/**
 * Undefined when there is no such process.
 *
 * @throws {Error} When it cannot be read although it may exist.
 */
export function readStat(read: ReadProcFile, processPath: string): Stat | undefined {
  let text: string;
  try {
    text = read(`${processPath}/stat`, STAT_BYTES_MAX).toString("latin1");
  } catch (error) {
    if (isVanished(error)) return undefined;
    throw error;
  }
  const stat = parseStat(text);
  if (stat === undefined) {
    throw new Error(`Cannot read ${processPath}/stat as it must be a stat line: current value is "${text}"`);
  }
  return stat;
}
