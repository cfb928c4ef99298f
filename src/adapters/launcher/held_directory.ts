/**
 * Opens a directory step by step, so that nobody can lead the way elsewhere while it is walked.
 *
 * Each step starts from the directory that is held open (`/proc/self/fd/<fd>/<name>`, for want of `openat`) and follows no
 * link by itself. A link that root or the agent's user made is resolved and walked in the same manner, as `/var/run` is
 * one; a link of anybody else could lead root to `/etc`.
 * @module
 */

import { constants } from "node:fs";
import { type FileHandle, lstat, open, readlink } from "node:fs/promises";
import { errorCode } from "../process/proc_file.ts";

/** As many as the kernel follows. */
const LINKS_MAX = 40;

const DIRECTORY_ONLY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export type HeldDirectory =
  /** `path` names the directory for as long as `handle` is open. */
  | { readonly kind: "held"; readonly path: string; readonly handle: FileHandle }
  | { readonly kind: "foreign_link"; readonly name: string };

/**
 * @param path absolute
 * @throws {Error} With the `code` of the failed call.
 */
export async function holdDirectory(path: string): Promise<HeldDirectory> {
  const names = path.split("/");
  let links = 0;
  let handle = await open("/", DIRECTORY_ONLY);
  try {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      if (name === "" || name === ".") continue;
      const entry = `/proc/self/fd/${handle.fd}/${name}`;
      const target = await linkTarget(entry);
      if (target.kind === "foreign") {
        await handle.close();
        return { kind: "foreign_link", name };
      }
      links += target.kind === "link" ? 1 : 0;
      if (links > LINKS_MAX) throw new Error(`Cannot open ${path} as it must lead through fewer links`);
      const next = await open(nextPath(entry, target, names), DIRECTORY_ONLY);
      await handle.close();
      handle = next;
    }
    return { kind: "held", path: `/proc/self/fd/${handle.fd}`, handle };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

type Target =
  | { readonly kind: "none" }
  | { readonly kind: "link"; readonly path: string }
  | { readonly kind: "foreign" };

async function linkTarget(entry: string): Promise<Target> {
  const stats = await lstat(entry);
  if (!stats.isSymbolicLink()) return { kind: "none" };
  if (stats.uid !== 0 && stats.uid !== process.getuid?.()) return { kind: "foreign" };
  try {
    return { kind: "link", path: await readlink(entry) };
  } catch (error) {
    // It was exchanged for something else: the step itself finds out what.
    if (errorCode(error) === "EINVAL") return { kind: "none" };
    throw error;
  }
}

/** The next directory to open; what a link leads through is put before the `names` that are left. */
function nextPath(entry: string, target: Target, names: string[]): string {
  if (target.kind !== "link") return entry;
  names.unshift(...target.path.split("/"));
  return target.path.startsWith("/") ? "/" : entry.slice(0, entry.lastIndexOf("/") + 1);
}
