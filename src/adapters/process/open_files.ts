/**
 * The files that one process has open for writing.
 *
 * The order of the questions matters. The link of an fd costs 4 us and rules out sockets, pipes and timers; `fdinfo` tells
 * how it was opened and on which mount. Only then is the file itself asked, and never where that could wait for another
 * computer: there the kernel's own inode number from `fdinfo` has to do.
 * @module
 */

import { readdirSync, readlinkSync, statSync } from "node:fs";
import { type FileKey, inodeKey, keyOfStats, mountKey } from "./file_key.ts";
import type { Mount } from "./mounts.ts";
import { isForbidden, isVanished, type ReadProcFile } from "./proc_file.ts";

const FDINFO_BYTES_MAX = 4096;
const ACCESS_MODE_MASK = 3;
const READ_ONLY = 0;
/** `O_PATH`: a name of the file, which can neither be read nor written. */
const PATH_ONLY = 0o10000000;
/** Never a disk, and everybody has them open. */
const UNINTERESTING =
  /^\/(?:dev\/(?:null|zero|full|u?random|tty|pts\/.*|ptmx|kvm|net\/tun|vhost-.*)|proc\/.*|sys\/.*)$/;

export interface OpenFilesSource {
  readonly read: ReadProcFile;
  /** The mount of an id, as this process sees it. */
  readonly mountOf: (processPath: string, id: number) => Mount | undefined;
}

export interface OpenFile {
  readonly key: FileKey;
  /** `/proc/<pid>/task/<tid>/fd/<fd>` */
  readonly path: string;
}

/**
 * All files that any task of the process has open for writing. What vanishes while it is read is left out, and so is a
 * process with more rights than the agent: its files are not ours to see. Root with `CAP_SYS_PTRACE` sees all.
 *
 * @throws {Error} When it cannot be read for another reason.
 */
export function filesOpenForWriting(source: OpenFilesSource, processPath: string): readonly OpenFile[] {
  const tables = new Set<string>();
  return listing(`${processPath}/task`).flatMap((task) => {
    const taskPath = `${processPath}/task/${task}`;
    try {
      const fds = listing(`${taskPath}/fd`);
      // Tasks of one process share one table as a rule: the same numbers are taken for the same table.
      const table = fds.join();
      if (tables.has(table)) return [];
      tables.add(table);
      return filesOfTask(source, processPath, taskPath, fds);
    } catch (error) {
      // Of one task alone, as a first thread that has ended belongs to root whoever the others belong to.
      if (isForbidden(error)) return [];
      throw error;
    }
  });
}

function filesOfTask(
  source: OpenFilesSource,
  processPath: string,
  taskPath: string,
  fds: readonly string[],
): readonly OpenFile[] {
  const files: OpenFile[] = [];
  for (const fd of fds) {
    const key = keyOf(source, processPath, taskPath, fd);
    if (key !== undefined) files.push({ key, path: `${taskPath}/fd/${fd}` });
  }
  return files;
}

function keyOf(source: OpenFilesSource, processPath: string, taskPath: string, fd: string): FileKey | undefined {
  try {
    const target = readlinkSync(`${taskPath}/fd/${fd}`);
    if (!target.startsWith("/") || UNINTERESTING.test(target)) return undefined;
    const text = source.read(`${taskPath}/fdinfo/${fd}`, FDINFO_BYTES_MAX).toString("latin1");
    const flags = Number.parseInt(/^flags:\s+(\d+)/m.exec(text)?.[1] ?? "", 8);
    if ((flags & ACCESS_MODE_MASK) === READ_ONLY || (flags & PATH_ONLY) !== 0) return undefined;
    const mount = source.mountOf(processPath, Number(/^mnt_id:\s+(\d+)/m.exec(text)?.[1]));
    const inode = /^ino:\s+(\d+)/m.exec(text)?.[1];
    if (mount?.local || inode === undefined) return keyOfStats(statSync(`${taskPath}/fd/${fd}`, { bigint: true }));
    return mount === undefined ? inodeKey(inode) : mountKey(mount.device, inode);
  } catch (error) {
    if (isVanished(error)) return undefined;
    throw error;
  }
}

/** Names in a directory of `/proc`; none when the process has ended. */
function listing(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (isVanished(error)) return [];
    throw error;
  }
}
