/**
 * Who has a disk open for writing.
 * @module
 */

import type { Disk } from "../domain/vm_record.ts";

export interface DiskHolder {
  readonly path: string;
  readonly pid: number;
  /** Base name of the holder's executable. */
  readonly exe: string;
}

export interface ExaminedDisk {
  readonly path: string;
  readonly shared: boolean;
  /** Device and inode, or the number of a block device, in a form that only the adapter reads. */
  readonly keys: readonly string[];
}

export type DiskExamination =
  | {
      readonly kind: "examined";
      readonly holders: readonly DiskHolder[];
      /** What each path names: two paths that share a key are one disk. */
      readonly disks: readonly ExaminedDisk[];
    }
  /** A path that does not exist or cannot be examined in time (a dead NFS server). */
  | { readonly kind: "unavailable"; readonly path: string; readonly error: string };

export interface DiskHolders {
  /**
   * Finds every process with one of the disks open for writing, by device and inode over the fds of every task. Shared disks are
   * examined for existence only.
   */
  examine(disks: readonly Disk[], timeoutMs: number): Promise<DiskExamination>;
}
