/**
 * Removes the consoles of VMs that have ended: those that no process has open, a while after the last word.
 *
 * Nobody tells the launcher that a VM was deleted, and a deleted one may run on and write, so its file must stay where it can be
 * cut: one that is unlinked while it is open takes up memory that nobody can give back. So the host is asked who has it open.
 * @module
 */

import { lstatSync, readdirSync, readlinkSync, statSync, unlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { createSlices } from "../process/slices.ts";

interface Quiet {
  readonly path: string;
  readonly key: string;
  readonly writtenAtMs: number;
}

/** Resolves with how many files were removed. What cannot be read is taken for open. */
export async function removeEndedConsoles(paths: readonly string[], keptMs: number): Promise<number> {
  const before = Date.now() - keptMs;
  const candidates = paths.map(lookAt).filter((one): one is Quiet => one !== undefined && one.writtenAtMs <= before);
  if (candidates.length === 0) return 0;
  const open = await openFiles(new Set(candidates.map(({ path }) => basename(path))));
  if (open === undefined) return 0;
  let removed = 0;
  for (const { path, key, writtenAtMs } of candidates) {
    // Meanwhile a VM may have been started, whose file has this name. From here on nothing waits.
    const now = lookAt(path);
    if (open.has(key) || now === undefined || now.key !== key || now.writtenAtMs !== writtenAtMs) continue;
    unlinkSync(path);
    removed += 1;
  }
  return removed;
}

function lookAt(path: string): Quiet | undefined {
  try {
    const stats = lstatSync(path);
    return { path, key: `${stats.dev} ${stats.ino}`, writtenAtMs: stats.mtimeMs };
  } catch {
    return undefined;
  }
}

/**
 * Those of all processes that end in one of `names`: no other is asked, as it may lie on a disk that does not answer.
 *
 * @returns undefined when the process table cannot be read
 */
async function openFiles(names: ReadonlySet<string>): Promise<ReadonlySet<string> | undefined> {
  const pauseWhenDue = createSlices();
  const open = new Set<string>();
  const pids = namesIn("/proc")?.filter((name) => /^\d+$/.test(name));
  for (const pid of pids ?? []) {
    await pauseWhenDue();
    const directory = `/proc/${pid}/fd`;
    for (const fd of namesIn(directory) ?? []) {
      const key = keyIfNamed(join(directory, fd), names);
      if (key !== undefined) open.add(key);
    }
  }
  return pids === undefined ? undefined : open;
}

function keyIfNamed(link: string, names: ReadonlySet<string>): string | undefined {
  try {
    if (!names.has(basename(readlinkSync(link)))) return undefined;
    const { dev, ino } = statSync(link);
    return `${dev} ${ino}`;
  } catch {
    // The process has ended, or closed it.
    return undefined;
  }
}

function namesIn(directory: string): readonly string[] | undefined {
  try {
    return readdirSync(directory);
  } catch {
    return undefined;
  }
}
