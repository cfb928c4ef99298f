/**
 * A small file that is replaced as a whole, by rename, so that a reader sees the old text or the new.
 *
 * It is not synced: it is about a running process and lies where nothing survives a reboot. Only the latest text matters,
 * so a slow file system makes texts be skipped and never queue up.
 * @module
 */

import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { writeNewFile } from "../state/new_file.ts";

const FILE_MODE = 0o644;
const DIRECTORY_MODE = 0o700;

export interface ReplacedFile {
  /** Never throws. A text that cannot be written is dropped, for the next one to try again. */
  replace(text: string): void;
}

export function createReplacedFile(path: string): ReplacedFile {
  const temporary = `${path}.${process.pid}.tmp`;
  let next: string | undefined;
  let writing = false;

  async function writeAll(): Promise<void> {
    if (writing) return;
    writing = true;
    while (next !== undefined) {
      const text = next;
      next = undefined;
      await write(text).catch(() => rm(temporary, { force: true }).catch(() => {}));
    }
    writing = false;
  }

  async function write(text: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    await writeNewFile(temporary, text, { mode: FILE_MODE, synced: false });
    await rename(temporary, path);
  }

  return {
    replace(text) {
      next = text;
      void writeAll();
    },
  };
}
