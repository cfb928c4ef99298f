/**
 * Which mounts may not answer: https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
 * @module
 */

import { readFileSync } from "node:fs";

/** File systems whose every call ends without another computer or another process. */
const LOCAL_TYPES = new Set([
  ...[
    "ext2",
    "ext3",
    "ext4",
    "xfs",
    "btrfs",
    "f2fs",
    "zfs",
    "bcachefs",
    "vfat",
    "exfat",
    "ntfs3",
    "iso9660",
    "squashfs",
  ],
  ...["erofs", "overlay", "tmpfs", "ramfs", "devtmpfs", "hugetlbfs", "proc", "sysfs", "rootfs", "devpts", "cgroup2"],
]);

export interface Mount {
  /** `major:minor` of the device that `stat` reports for files on it (btrfs reports others). */
  readonly device: string;
  readonly local: boolean;
}

/** Mounts by id, as far as they are visible to the process; ids are unique on a host. Empty when it cannot be read. */
export function readMounts(processPath: string): ReadonlyMap<number, Mount> {
  const mounts = new Map<number, Mount>();
  for (const line of readLines(`${processPath}/mountinfo`)) {
    const [own, source] = line.split(" - ");
    const [id, , device] = own?.split(" ") ?? [];
    const type = source?.split(" ")[0];
    if (id === undefined || device === undefined || type === undefined) continue;
    mounts.set(Number(id), { device, local: LOCAL_TYPES.has(type) });
  }
  return mounts;
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return [];
  }
}
