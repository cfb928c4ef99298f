/**
 * Unlinks the files and sockets that a dead VM left behind.
 *
 * It runs as root on paths from a record, beneath directories that may belong to the VM's own user. So the last name is
 * never followed if it is a link, a link of that user among the directories is refused, and the directory is held open
 * while its entry is looked at and removed.
 * @module
 */

import { lstat, unlink } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize } from "node:path";
import type { HookOutcome } from "../../ports/hooks.ts";
import { errorCode } from "../process/proc_file.ts";
import { holdDirectory } from "./held_directory.ts";

/** Stops at the first path that cannot be removed, and names it. */
export async function removeLeftovers(paths: readonly string[]): Promise<HookOutcome> {
  for (const path of paths) {
    const error = await removeLeftover(path);
    if (error !== undefined) return { kind: "failed", error };
  }
  return { kind: "done" };
}

/** Undefined when it is gone, or was before. */
async function removeLeftover(path: string): Promise<string | undefined> {
  if (!isAbsolute(path) || normalize(path) !== path || path.endsWith("/")) {
    return refusal(path, "be absolute, without `.`, `..` or a slash at its end");
  }
  try {
    const directory = await holdDirectory(dirname(path));
    if (directory.kind === "foreign_link") {
      return refusal(path, `not lead through a link of another user: current value is "${directory.name}"`);
    }
    try {
      return await unlinkEntry(join(directory.path, basename(path)), path);
    } finally {
      await directory.handle.close();
    }
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    return `Cannot remove ${path}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function unlinkEntry(entry: string, path: string): Promise<string | undefined> {
  const stats = await lstat(entry);
  if (!stats.isFile() && !stats.isSocket()) return refusal(path, "be a file or a socket");
  await unlink(entry);
  return undefined;
}

function refusal(path: string, rule: string): string {
  return `Cannot remove ${path} as it must ${rule}`;
}
