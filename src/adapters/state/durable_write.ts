/**
 * Writes small files so that a crash at any instant leaves the old content or the new, never a part of either.
 *
 * The content is synced before the rename and the directory after it: https://lwn.net/Articles/457667/
 * @module
 */

import { constants } from "node:fs";
import { chmod, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { writeNewFile } from "./new_file.ts";

/** Only the agent reads what it keeps. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

export interface DurableWriter {
  /**
   * Writes or replaces a file, and makes its directory when it is missing. Writes of one path happen in the order of the calls.
   *
   * @throws {Error} as the host's file system does
   */
  write(path: string, text: string): Promise<void>;
  /** Unlinks a file; one that is absent already is fine. In order with the writes of the path. */
  remove(path: string): Promise<void>;
}

export function createDurableWriter(): DurableWriter {
  const last = new Map<string, Promise<unknown>>();
  let temporaries = 0;

  function inOrder(path: string, action: () => Promise<void>): Promise<void> {
    const turn = (last.get(path) ?? Promise.resolve()).then(action);
    const settled = turn.then(forget, forget);
    last.set(path, settled);
    function forget(): void {
      if (last.get(path) === settled) last.delete(path);
    }
    return turn;
  }

  async function replace(path: string, text: string): Promise<void> {
    const directory = dirname(path);
    await makeDirectory(directory);
    temporaries += 1;
    const temporary = `${directory}/.${process.pid}-${temporaries}.tmp`;
    try {
      await writeNewFile(temporary, text, { mode: FILE_MODE, synced: true });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncDirectory(directory);
  }

  return {
    write: (path, text) => inOrder(path, () => replace(path, text)),
    remove: (path) => inOrder(path, () => rm(path, { force: true })),
  };
}

/** A directory made here is the agent's alone, whatever the umask. */
async function makeDirectory(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
  if (made !== undefined) await chmod(path, DIRECTORY_MODE);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
