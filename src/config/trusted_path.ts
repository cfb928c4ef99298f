/**
 * Judges a place where the agent is to keep what it will act on: the directory and every one above it.
 *
 * Whoever may write to a directory on the way can put another in the place of the next one, however well that is guarded. A
 * directory with the sticky bit, such as `/tmp`, may be on the way: others can add to it, but not take away what stands there.
 * Links are followed, and the way that each leads is judged as well; one must belong to somebody who is trusted.
 * https://man7.org/linux/man-pages/man7/inode.7.html
 * @module
 */

import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type TrustOptions, whyUntrusted } from "./trusted_file.ts";

/** As many as the kernel follows. */
const LINKS_MAX = 40;
const STICKY = 0o1000;
const WRITE_BITS = 0o022;

/**
 * Says why a directory must not be trusted; undefined when it may be. What does not exist yet is made by the agent, so it may;
 * so may what the agent's user may not look at: it cannot write there either.
 */
export function whyPathUntrusted(path: string, options: TrustOptions): string | undefined {
  let links = 0;
  let current = "/";
  let ahead = parts(resolve(path));
  for (;;) {
    const stats = lookAt(current);
    if (stats === undefined) return undefined;
    if (stats.isSymbolicLink()) {
      links += 1;
      if (links > LINKS_MAX) return `Cannot use ${path} as it must not be a loop of links: current value is ${current}`;
      const why = whyForeign(current, stats, options);
      if (why !== undefined) return why;
      ahead = [...parts(resolve(dirname(current), readlinkSync(current))), ...ahead];
      current = "/";
      continue;
    }
    if (!stats.isDirectory()) return `Cannot use ${path} as ${current} must be a directory: current value is a file`;
    const [next, ...rest] = ahead;
    const why = next === undefined ? whyUntrusted(current, stats, options) : whyForeign(current, stats, options);
    if (why !== undefined || next === undefined) return why;
    current = join(current, next);
    ahead = rest;
  }
}

/** A link's mode says nothing, and in a sticky directory nobody can replace what is another's. */
function whyForeign(path: string, stats: Stats, options: TrustOptions): string | undefined {
  const isOpen = stats.isSymbolicLink() || (stats.mode & STICKY) !== 0;
  return whyUntrusted(path, isOpen ? { uid: stats.uid, mode: stats.mode & ~WRITE_BITS } : stats, options);
}

function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function parts(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "");
}
