/**
 * Tells whether two paths or open files are one: by device and inode for files, by the device itself for block devices,
 * which may have many names and inodes.
 * @module
 */

import type { BigIntStats } from "node:fs";
import type { PathFacts } from "./path_stat.ts";

/** Equal for the same file, different for different ones. */
export type FileKey = string;

/** Every key under which the file at a path may be found open. */
export function keysOfFacts(facts: PathFacts): readonly FileKey[] {
  if (facts.type === "block_device") return [blockKey(facts.major, facts.minor)];
  const device = BigInt(facts.device);
  return [
    `file ${device} ${facts.inode}`,
    mountKey(`${majorOf(device)}:${minorOf(device)}`, facts.inode),
    inodeKey(facts.inode),
  ];
}

export function keyOfStats(stats: BigIntStats): FileKey {
  return stats.isBlockDevice() ? blockKey(majorOf(stats.rdev), minorOf(stats.rdev)) : `file ${stats.dev} ${stats.ino}`;
}

/** Of a file that must not be asked itself: the device of its mount, and the inode number that the kernel has for it. */
export function mountKey(device: string, inode: string): FileKey {
  return `mount ${device} ${inode}`;
}

/** Of a file on a mount that is not known: many files share it, so whoever finds it has to look closer. */
export function inodeKey(inode: string): FileKey {
  return `inode ${inode}`;
}

export function isDoubtful(key: FileKey): boolean {
  return key.startsWith("inode ");
}

function blockKey(major: number | bigint, minor: number | bigint): FileKey {
  return `block ${major}:${minor}`;
}

/** `major()` and `minor()` of glibc, from the 64-bit `dev_t`. */
function majorOf(device: bigint): bigint {
  return ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
}

function minorOf(device: bigint): bigint {
  return (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
}
