/**
 * Writes a file where there was none: it never opens what somebody else put there, nor what a link leads to.
 *
 * What is written beside its place and then renamed goes through here. A file that a killed agent left under the
 * temporary name is removed, since nobody else has that name.
 * @module
 */

import { constants } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { errorCode } from "../process/proc_file.ts";

export interface NewFileOptions {
  readonly mode: number;
  /** Whether the content is on the disk when the promise resolves. */
  readonly synced: boolean;
}

/** @throws {Error} as the host's file system does */
export async function writeNewFile(path: string, text: string | Uint8Array, options: NewFileOptions): Promise<void> {
  const file = await openNew(path, options.mode).catch(async (error: unknown) => {
    if (errorCode(error) !== "EEXIST") throw error;
    await rm(path, { force: true });
    return await openNew(path, options.mode);
  });
  try {
    await file.writeFile(text);
    if (options.synced) await file.sync();
  } finally {
    await file.close();
  }
}

function openNew(path: string, mode: number): Promise<FileHandle> {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  return open(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode);
}
