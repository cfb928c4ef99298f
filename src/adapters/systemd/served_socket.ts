/**
 * Whether the processes of one unit, and nobody else, serve a unix socket.
 *
 * A path alone does not tell: a second VMM that was given the same one unlinks the socket of the first and binds its
 * own, and whoever asks there reaches another guest. The kernel names for each listening socket its inode and the path
 * that it was bound to (https://man7.org/linux/man-pages/man5/proc_pid_net.5.html, `unix`); who holds the inode shows
 * in `/proc/<pid>/fd`. The path is the VMM's own: relative to its directory, or within its jail. So it is compared as
 * a file, seen through the root of that process. A socket that was bound in another network namespace than the VMM's
 * shows in none of this.
 * @module
 */

import { type BigIntStats, readdirSync, readlinkSync, statSync } from "node:fs";
import { unitOf } from "../process/cgroup.ts";
import { createProcFileReader, isVanished, type ReadProcFile } from "../process/proc_file.ts";

const TABLE_BYTES_MAX = 64 * 1024 * 1024;
const CGROUP_BYTES_MAX = 16 * 1024;
/** `__SO_ACCEPTCON` of the kernel: somebody listens. */
const LISTENS = 0x10000;

export interface UnitProcesses {
  /** Counts as the unit's wherever its control group is: a jailer moves it. */
  readonly mainPid: number;
  readonly includes: (pid: number) => boolean;
}

/** The processes of the unit in which this program runs; undefined when it is in none. */
export function ownUnit(mainPid: number): UnitProcesses | undefined {
  const read = createProcFileReader();
  const unit = unitOfProcess(read, "self");
  return unit === undefined ? undefined : { mainPid, includes: (pid) => unitOfProcess(read, pid) === unit };
}

function unitOfProcess(read: ReadProcFile, pid: number | "self"): string | undefined {
  try {
    return unitOf(read(`/proc/${pid}/cgroup`, CGROUP_BYTES_MAX).toString("utf8"));
  } catch (error) {
    if (isVanished(error)) return undefined;
    throw error;
  }
}

/**
 * @param socketPath absolute
 * @returns why it must not be taken for the unit's; undefined when the unit serves it
 */
export function whyNotServed(socketPath: string, { mainPid, includes }: UnitProcesses): string | undefined {
  try {
    const file = statSync(socketPath, { bigint: true, throwIfNoEntry: false });
    if (file === undefined || !file.isSocket()) return `there is no socket at ${socketPath}`;
    const read = createProcFileReader();
    const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
    const isOurs = (pid: number) => pid === mainPid || includes(pid);
    // As a rule it is the main process, and the others need not be looked at.
    for (const pid of [mainPid, ...pids]) {
      if (!isOurs(pid)) continue;
      const own = ownListener(read, pid, file);
      if (own === undefined) continue;
      const rivals = own.rivals.length === 0 ? [] : pids.filter((each) => !isOurs(each));
      const rival = rivals.find((each) => isFile(pathIn(each, own.path), file) && holds(each, own.rivals));
      return rival === undefined
        ? undefined
        : `pid ${rival}, which is not of its unit, has bound ${socketPath} as well`;
    }
    return `no process of its unit serves ${socketPath}`;
  } catch (error) {
    return `cannot tell who serves ${socketPath}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

interface Listener {
  readonly inode: string;
  /** As it was given to `bind`. */
  readonly path: string;
}

/** The socket by which a process serves the file, and others that were bound to a path of the same text. */
function ownListener(
  read: ReadProcFile,
  pid: number,
  file: BigIntStats,
): { readonly path: string; readonly rivals: readonly string[] } | undefined {
  const listeners = listenersSeenBy(read, pid);
  const held = socketsOf(pid);
  const own = listeners.find(({ inode, path }) => held.has(inode) && isFile(pathIn(pid, path), file));
  if (own === undefined) return undefined;
  const rivals = listeners.filter(({ inode, path }) => path === own.path && !held.has(inode));
  return { path: own.path, rivals: rivals.map(({ inode }) => inode) };
}

/** The listening sockets of the network namespace of a process that have a path. */
function listenersSeenBy(read: ReadProcFile, pid: number): readonly Listener[] {
  let table: string;
  try {
    table = read(`/proc/${pid}/net/unix`, TABLE_BYTES_MAX).toString("utf8");
  } catch (error) {
    if (isVanished(error)) return [];
    throw error;
  }
  const listeners: Listener[] = [];
  for (const line of table.split("\n")) {
    const [, flags = "", inode = "", path = ""] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+) (.+)$/.exec(line) ?? [];
    // An abstract name is shown with an at sign, and is no file.
    if ((Number.parseInt(flags, 16) & LISTENS) === 0 || path.startsWith("@")) continue;
    listeners.push({ inode, path });
  }
  return listeners;
}

function socketsOf(pid: number): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const fd of descriptorsOf(pid)) {
    const inode = /^socket:\[(\d+)\]$/.exec(targetOf(pid, fd))?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

function holds(pid: number, inodes: readonly string[]): boolean {
  const held = socketsOf(pid);
  return inodes.some((inode) => held.has(inode));
}

function descriptorsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch (error) {
    if (isVanished(error)) return [];
    throw error;
  }
}

function targetOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch (error) {
    if (isVanished(error)) return "";
    throw error;
  }
}

/** A path as a process means it. */
function pathIn(pid: number, path: string): string {
  return path.startsWith("/") ? `/proc/${pid}/root${path}` : `/proc/${pid}/cwd/${path}`;
}

function isFile(path: string, file: BigIntStats): boolean {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    return found !== undefined && found.dev === file.dev && found.ino === file.ino;
  } catch {
    // A path that cannot be followed leads to no socket that anybody could ask.
    return false;
  }
}
