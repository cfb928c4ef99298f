/**
 * Remembers the programs of processes from one look to the next.
 *
 * Reading everything costs 75 us a process, `stat` alone 15, and the scan that precedes a start stands between a dead VM
 * and its recovery. A program's arguments and environment change by `exec` only, which `stat` shows (`Stat.program`).
 * A user or a unit can change without one, and does so while a process is young: a VMM gives up its rights, systemd moves
 * a process to its scope. So the young are always read anew, the others now and then.
 *
 * It also answers for a process that is ending: what it was is no longer readable, and its files are still open.
 * @module
 */

import type { ProgramParts } from "./read_program.ts";
import type { Stat } from "./stat.ts";

/** Younger processes are always read. */
const YOUNG_MS = 60_000;
/** Older readings are renewed, at an age that depends on the pid so that not all fall due at once. */
const STALE_MS = 60_000;

export interface ProgramMemory {
  /** The remembered parts, if they still hold. */
  recall(pid: number, stat: Stat, ageMs: number): ProgramParts | undefined;
  /** `parts`, with what an ending process no longer shows taken from memory. */
  recallEnding(pid: number, stat: Stat, parts: ProgramParts): ProgramParts;
  remember(pid: number, stat: Stat, parts: ProgramParts, ageMs: number): void;
  /** Forgets all processes but these. */
  retain(pids: ReadonlySet<number>): void;
}

interface Entry {
  readonly startTicks: number;
  readonly program: string | undefined;
  readonly parts: ProgramParts;
  readonly readAtAgeMs: number;
}

export function createProgramMemory(): ProgramMemory {
  const entries = new Map<number, Entry>();
  const entryOf = (pid: number, stat: Stat) => {
    const entry = entries.get(pid);
    return entry?.startTicks === stat.startTicks ? entry : undefined;
  };
  return {
    recall(pid, stat, ageMs) {
      const entry = entryOf(pid, stat);
      if (entry === undefined || ageMs < YOUNG_MS) return undefined;
      if (entry.program === undefined || entry.program !== stat.program) return undefined;
      const staleMs = STALE_MS + (pid % 64) * (STALE_MS / 64);
      return ageMs - entry.readAtAgeMs < staleMs ? entry.parts : undefined;
    },
    recallEnding(pid, stat, parts) {
      const entry = entryOf(pid, stat);
      return entry === undefined ? parts : { ...entry.parts, unit: parts.unit ?? entry.parts.unit };
    },
    remember(pid, stat, parts, ageMs) {
      entries.set(pid, { startTicks: stat.startTicks, program: stat.program, parts, readAtAgeMs: ageMs });
    },
    retain(pids) {
      for (const pid of entries.keys()) {
        if (!pids.has(pid)) entries.delete(pid);
      }
    },
  };
}
