/**
 * Writes the file that node_exporter's textfile collector reads: `<name>.prom`, replaced as a whole by rename.
 *
 * The temporary name does not end in `.prom`, or a scrape at the wrong instant would read half of it:
 * https://github.com/prometheus/node_exporter#textfile-collector
 * Nothing is synced to the disk: after a crash of the host its numbers mean nothing.
 * @module
 */

import { constants } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** node_exporter runs as a user of its own. */
const FILE_MODE = 0o644;

/**
 * @param path absolute
 * @throws {Error} as the file system does
 */
export async function writeTextfile(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  // A left-over of an agent that was killed. Only the one that has the lock writes.
  await rm(temporary, { force: true });
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = await open(temporary, flags, FILE_MODE);
    try {
      await file.writeFile(text);
      // The service's umask must not keep node_exporter out.
      await file.chmod(FILE_MODE);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}
