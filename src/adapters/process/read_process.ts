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
import {
  BLANK_IMAGE,
  type ProgramImage,
  type ProgramStanding,
  readExe,
  readImage,
  readStanding,
} from "./read_program.ts";
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
  | { readonly kind: "changing" }
  /** In an uninterruptible wait, and its memory was never read: that may wait as long. */
  | { readonly kind: "waiting" };

/**
 * What to do about a process in an uninterruptible wait whose memory was never read: report that (`unless_waiting`), read
 * it, or do without its arguments and environment.
 */
export type MemoryAccess = "unless_waiting" | "always" | "never";

export interface ProcessSource {
  readonly read: ReadProcFile;
  readonly procPath: string;
  readonly bootId: string;
  readonly now: () => MonotonicMs;
  readonly memory: ProgramMemory;
}

/** @throws {Error} When the process lives and cannot be read for another reason than permission on a part of it. */
export function readProcess(source: ProcessSource, pid: number, access: MemoryAccess): ProcessReading {
  const path = `${source.procPath}/${pid}`;
  const stat = readStat(source.read, path);
  if (stat === undefined) return { kind: "dead" };
  if (stat.kernelThread) return { kind: "kernel_thread" };
  const zombie = stat.state === "Z" || stat.state === "X";
  const tasks = zombie ? liveTasks(source.read, path) : undefined;
  if (tasks?.length === 0) return { kind: "dead" };
  const task = tasks?.[0];
  const partPath = task === undefined ? path : `${path}/task/${task}`;
  const ageMs = Math.max(0, source.now() - stat.startTicks * (1000 / TICKS_PER_SECOND));
  try {
    const image = imageOf(
      source,
      { pid, stat, path: partPath, hasMemory: stat.hasMemory || task !== undefined },
      access,
    );
    if (image === "changing" || image === "waiting") return { kind: image };
    const facts = {
      identity: { bootId: source.bootId, pid, startTicks: stat.startTicks },
      parentPid: stat.parentPid,
      sessionId: stat.sessionId,
      state: stat.state,
      // Threads other than the first leave no zombie behind, so while the first lives all that are counted live.
      liveTasks: tasks?.length ?? stat.threads,
      ageMs,
      ...image,
      ...standingOf(source, { pid, stat, path: partPath }, ageMs),
    };
    return { kind: "facts", facts };
  } catch (error) {
    if (isVanished(error)) return { kind: "changing" };
    throw error;
  }
}

interface Subject {
  readonly pid: number;
  readonly stat: Stat;
  /** `/proc/<pid>`, or that of a task that lives. */
  readonly path: string;
}

function imageOf(
  { memory, read }: ProcessSource,
  { pid, stat, path, hasMemory }: Subject & { readonly hasMemory: boolean },
  access: MemoryAccess,
): ProgramImage | "changing" | "waiting" {
  const remembered = memory.recallImage(pid, stat);
  if (remembered !== undefined) return remembered;
  if (!hasMemory) return BLANK_IMAGE;
  if (access === "never") return { ...BLANK_IMAGE, exe: readExe(path) };
  if (access === "unless_waiting" && stat.state === "D") return "waiting";
  const { image, blank } = readImage(read, path);
  if (blank && stat.hasMemory && stat.program === undefined) return "changing";
  memory.rememberImage(pid, stat, image);
  return image;
}

function standingOf({ memory, read }: ProcessSource, { pid, stat, path }: Subject, ageMs: number): ProgramStanding {
  const remembered = memory.recallStanding(pid, stat, ageMs);
  if (remembered !== undefined) return remembered;
  const standing = readStanding(read, path);
  memory.rememberStanding(pid, stat, standing, ageMs);
  return standing;
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
