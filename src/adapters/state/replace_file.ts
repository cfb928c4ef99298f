/**
 * Replaces small files so that a reader finds the old content or the new, never a part of either, whenever the agent dies.
 *
 * What a crash of the host leaves is dear: a sync of the content keeps a rename from showing an empty file, a sync of the
 * directory makes it last. So a caller says what his file must survive: https://lwn.net/Articles/457667/
 * @module
 */

import { constants } from "node:fs";
import { chmod, mkdir, open, rename, rm, unlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { errorCode } from "../process/proc_file.ts";
import { writeNewFile } from "./new_file.ts";

/** Only the agent reads what it keeps. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** What an agent that was killed while it wrote leaves. */
export const TEMPORARY_NAME = /^\.\d+-.+\.tmp$/;

export type Survival =
  /** The agent's death only: after a crash of the host the file may be empty. */
  | "agent"
  /** The host's crash: the old content or the new is there. */
  | "host"
  /** The host's crash, with the new content from when the promise resolves. */
  | "host_at_once";

export interface ReplaceOptions {
  readonly survival: Survival;
  /** Whether nobody waits for it any more: then the old file stays. */
  readonly isLate: () => boolean;
}

/**
 * Writes or replaces a file, and makes its directory when it is missing. Of one path one at a time.
 *
 * @throws {Error} as the host's file system does
 */
export async function replaceFile(path: string, text: string, { survival, isLate }: ReplaceOptions): Promise<void> {
  const directory = dirname(path);
  const temporary = `${directory}/.${process.pid}-${basename(path)}.tmp`;
  const options = { mode: FILE_MODE, synced: survival !== "agent" };
  try {
    await writeNewFile(temporary, text, options).catch(async (error: unknown) => {
      if (errorCode(error) !== "ENOENT") throw error;
      await makeDirectory(directory);
      await writeNewFile(temporary, text, options);
    });
    if (isLate()) throw new Error("it came too late");
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (survival === "host_at_once") await syncDirectory(directory);
}

/** Unlinks a file; one that is absent already is fine. */
export async function removeFile(path: string, survival: Survival): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw error;
  }
  if (survival === "host_at_once") await syncDirectory(dirname(path));
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
