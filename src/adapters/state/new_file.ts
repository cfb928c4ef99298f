/**
 * Writes a file where there was none: it never opens what somebody else put there, nor what a link leads to.
 *
 * What is written beside its place and then renamed goes through here. A file that a killed agent left under the
 * temporary name is removed first, since nobody else has that name.
 * @module
 */

import { constants } from "node:fs";
import { open, rm } from "node:fs/promises";

export interface NewFileOptions {
  readonly mode: number;
  /** Whether the content is on the disk when the promise resolves. */
  readonly synced: boolean;
}

/** @throws {Error} as the host's file system does; `EEXIST` when somebody made the file in between */
export async function writeNewFile(path: string, text: string | Uint8Array, options: NewFileOptions): Promise<void> {
  await rm(path, { force: true });
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  const file = await open(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, options.mode);
  try {
    await file.writeFile(text);
    if (options.synced) await file.sync();
  } finally {
    await file.close();
  }
}
