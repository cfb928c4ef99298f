/**
 * Remembers the programs of processes from one look to the next.
 *
 * Reading everything costs 75 us a process, `stat` alone 15, and the scan that precedes a start stands between a dead VM
 * and its recovery. Worse, to read the memory of a process whose disk has gone away may take for ever (`read_program.ts`).
 * So an image is read once, as it changes by `exec` only, and that shows in `Stat.program`. The standing can change
 * without one, and does so while a process is young: a VMM gives up its rights, systemd moves a process to its scope. So
 * that of the young is always read anew, that of the others now and then.
 *
 * It also answers for a process that is ending: what it was is no longer readable, and its files are still open.
 * @module
 */

import type { ProgramImage, ProgramStanding } from "./read_program.ts";
import type { Stat } from "./stat.ts";

const YOUNG_MS = 60_000;
/** An older standing is read again at an age that depends on the pid, so that not all fall due at once. */
const STALE_MS = 60_000;

export interface ProgramMemory {
  recallImage(pid: number, stat: Stat): ProgramImage | undefined;
  recallStanding(pid: number, stat: Stat, ageMs: number): ProgramStanding | undefined;
  rememberImage(pid: number, stat: Stat, image: ProgramImage): void;
  /** @param ageMs of the process, at the reading */
  rememberStanding(pid: number, stat: Stat, standing: ProgramStanding, ageMs: number): void;
  /** Forgets all processes but these. */
  retain(pids: ReadonlySet<number>): void;
}

interface Entry {
  readonly startTicks: number;
  readonly program: string | undefined;
  readonly image: ProgramImage | undefined;
  readonly standing: ProgramStanding | undefined;
  readonly standingAgeMs: number;
}

export function createProgramMemory(): ProgramMemory {
  const entries = new Map<number, Entry>();
  const entryOf = (pid: number, { startTicks }: Stat): Entry => {
    const entry = entries.get(pid);
    if (entry?.startTicks === startTicks) return entry;
    return { startTicks, program: undefined, image: undefined, standing: undefined, standingAgeMs: 0 };
  };
  return {
    recallImage(pid, stat) {
      const { program, image } = entryOf(pid, stat);
      return !stat.hasMemory || (program !== undefined && program === stat.program) ? image : undefined;
    },
    recallStanding(pid, stat, ageMs) {
      const { program, standing, standingAgeMs } = entryOf(pid, stat);
      if (ageMs < YOUNG_MS || program === undefined || program !== stat.program) return undefined;
      const staleMs = STALE_MS + (pid % 64) * (STALE_MS / 64);
      return ageMs - standingAgeMs < staleMs ? standing : undefined;
    },
    rememberImage(pid, stat, image) {
      entries.set(pid, { ...entryOf(pid, stat), program: stat.program, image, standing: undefined });
    },
    rememberStanding(pid, stat, standing, ageMs) {
      entries.set(pid, { ...entryOf(pid, stat), standing, standingAgeMs: ageMs });
    },
    retain(pids) {
      for (const pid of entries.keys()) {
        if (!pids.has(pid)) entries.delete(pid);
      }
    },
  };
}
