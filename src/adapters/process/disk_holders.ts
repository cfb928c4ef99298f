/**
 * Who has a disk open for writing: every fd of every task of every process, compared by device and inode.
 *
 * A path says little, as a disk may be reached through links, other mounts, a chroot, or by another node of the same
 * block device. A process whose first thread ended shows no fds of its own, so its tasks are asked.
 *
 * Nothing here may wait for a file server that went away: the disks themselves are asked through a child process with a
 * deadline, open files on such mounts not at all (`open_files.ts`).
 * @module
 */

import { readdirSync, readlinkSync } from "node:fs";
import type { Disk } from "../../domain/vm_record.ts";
import type { DiskExamination, DiskHolder, DiskHolders, ExaminedDisk } from "../../ports/disk_holders.ts";
import { type FileKey, isDoubtful, keysOfFacts } from "./file_key.ts";
import { type Mount, readMounts } from "./mounts.ts";
import { filesOpenForWriting, type OpenFile, type OpenFilesSource } from "./open_files.ts";
import { statPath } from "./path_stat.ts";
import { createProcFileReader } from "./proc_file.ts";
import { programOf } from "./read_program.ts";
import { createSlices } from "./slices.ts";

export interface DiskHoldersOptions {
  /** @default "/proc" */
  readonly procPath?: string;
}

export function createDiskHolders(options: DiskHoldersOptions = {}): DiskHolders {
  const { procPath = "/proc" } = options;
  const read = createProcFileReader();
  return {
    async examine(disks, timeoutMs) {
      const deadlineAt = performance.now() + timeoutMs;
      const located = await locate(disks, deadlineAt);
      if (located.kind === "unavailable") return located;
      const { examined } = located;
      if (located.disks.size === 0) return { kind: "examined", holders: [], disks: examined };
      try {
        const mounts = createMountSource(procPath);
        const found = await findHolders({ read, mountOf: mounts }, procPath, located.disks, deadlineAt);
        return found.kind === "found" ? { kind: "examined", holders: found.holders, disks: examined } : found;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return { kind: "unavailable", path: procPath, error: `Cannot read who has disks open: ${reason}` };
      }
    },
  };
}

type Located =
  /** Paths of the disks that must be held by nobody, by every key of theirs. */
  | {
      readonly kind: "located";
      readonly disks: ReadonlyMap<FileKey, string>;
      readonly examined: readonly ExaminedDisk[];
    }
  | Extract<DiskExamination, { kind: "unavailable" }>;

/** One after another, so that the one that does not answer is known by name. */
async function locate(disks: readonly Disk[], deadlineAt: number): Promise<Located> {
  const paths = new Map<FileKey, string>();
  const examined: ExaminedDisk[] = [];
  for (const { path, shared } of disks) {
    const stat = await statPath(path, Math.max(1, deadlineAt - performance.now()));
    if (stat.kind !== "found") return { kind: "unavailable", path, error: whyUnavailable(stat) };
    const keys = keysOfFacts(stat.facts);
    examined.push({ path, shared, keys });
    if (shared) continue;
    for (const key of keys) paths.set(key, path);
  }
  return { kind: "located", disks: paths, examined };
}

function whyUnavailable(stat: Exclude<Awaited<ReturnType<typeof statPath>>, { kind: "found" }>): string {
  if (stat.kind === "absent") return "it does not exist";
  return stat.kind === "timed_out" ? "its file system does not answer in time" : stat.error;
}

async function findHolders(
  source: OpenFilesSource,
  procPath: string,
  disks: ReadonlyMap<FileKey, string>,
  deadlineAt: number,
): Promise<
  | { readonly kind: "found"; readonly holders: readonly DiskHolder[] }
  | Extract<DiskExamination, { kind: "unavailable" }>
> {
  const pauseWhenDue = createSlices();
  const holders: DiskHolder[] = [];
  for (const pid of readdirSync(procPath).map(Number).filter(Number.isInteger)) {
    await pauseWhenDue();
    if (performance.now() > deadlineAt) {
      return { kind: "unavailable", path: procPath, error: "Cannot read who has disks open in the time allowed" };
    }
    const held = new Set<string>();
    for (const file of filesOpenForWriting(source, `${procPath}/${pid}`)) {
      const path = disks.get(file.key);
      if (path === undefined || held.has(path)) continue;
      if (isDoubtful(file.key) && !(await isDisk(file, path, disks, deadlineAt))) continue;
      held.add(path);
    }
    for (const path of held) holders.push({ path, pid, exe: programAt(`${procPath}/${pid}`) });
  }
  return { kind: "found", holders };
}

/** Whether a file on an unknown mount is a disk. One that cannot be asked is taken for it. */
async function isDisk(
  file: OpenFile,
  path: string,
  disks: ReadonlyMap<FileKey, string>,
  deadlineAt: number,
): Promise<boolean> {
  const stat = await statPath(file.path, Math.max(1, deadlineAt - performance.now()));
  if (stat.kind === "absent") return false;
  return stat.kind !== "found" || keysOfFacts(stat.facts).some((key) => !isDoubtful(key) && disks.get(key) === path);
}

function programAt(processPath: string): string {
  try {
    return programOf(readlinkSync(`${processPath}/exe`));
  } catch {
    return "";
  }
}

/** Our own mounts first, as most processes share them; those of another mount namespace are read when first met. */
function createMountSource(procPath: string): OpenFilesSource["mountOf"] {
  const known = new Map<number, Mount>(readMounts(`${procPath}/self`));
  return (processPath, id) => {
    const mount = known.get(id);
    if (mount !== undefined) return mount;
    for (const [otherId, other] of readMounts(processPath)) known.set(otherId, other);
    return known.get(id);
  };
}
