/**
 * Reads files of `/proc` synchronously.
 *
 * They never wait for a disk, and an asynchronous read costs more than the read itself: 14 us for an open, read and
 * close of `stat`, five to ten times that through a thread pool.
 * @module
 */

import { closeSync, openSync, readSync } from "node:fs";

/** Most files of `/proc` fit at once; a longer one makes the buffer grow. */
const BUFFER_BYTES = 16 * 1024;

/**
 * Reads at most `bytesMax` bytes of a file. The result is a view that the next read overwrites.
 *
 * @throws {Error} With the `code` of the failed call.
 */
export type ReadProcFile = (path: string, bytesMax: number) => Buffer;

export function createProcFileReader(): ReadProcFile {
  let buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  return (path, bytesMax) => {
    const fd = openSync(path, "r");
    try {
      let length = 0;
      for (;;) {
        const room = Math.min(buffer.length, bytesMax) - length;
        const count = readSync(fd, buffer, length, room, null);
        length += count;
        // A read that leaves room has met the end: these files hand out all they have.
        if (count < room || length >= bytesMax) return buffer.subarray(0, length);
        const longer = Buffer.allocUnsafe(buffer.length * 4);
        buffer.copy(longer, 0, 0, length);
        buffer = longer;
      }
    } finally {
      closeSync(fd);
    }
  };
}

/** The name of a failed system call's error, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Whether the process ended while it was looked at: its directory is gone, or the open file has no process any more. */
export function isVanished(error: unknown): boolean {
  const code = errorCode(error);
  return code === "ENOENT" || code === "ESRCH";
}

/** Whether only the right to look is missing. */
export function isForbidden(error: unknown): boolean {
  const code = errorCode(error);
  return code === "EACCES" || code === "EPERM";
}
