/**
 * Hints that something in a directory changed.
 *
 * `fs.watch` reports a renamed file within a millisecond, and it is a hint only: a full queue of events is lost in silence,
 * and a directory that is deleted and made anew is never heard of again. So the directory is looked at once a second, and the
 * watch is set anew when another one stands at the path.
 * @module
 */

import { type FSWatcher, statSync, watch } from "node:fs";

const LOOK_INTERVAL_MS = 1000;

/**
 * @param onHint gets a file's name, or undefined for "look at all of them"
 * @returns what ends the watch
 */
export function watchDirectory(path: string, onHint: (name: string | undefined) => void): () => void {
  let watcher: FSWatcher | undefined;
  let watched = identityOf(path);
  arm();
  const timer = setInterval(look, LOOK_INTERVAL_MS);
  timer.unref();

  function arm(): void {
    watcher?.close();
    watcher = undefined;
    if (watched === undefined) return;
    try {
      watcher = watch(path, { persistent: false }, (_event, name) => {
        if (identityOf(path) === undefined) disarm();
        onHint(watched === undefined ? undefined : (name ?? undefined));
      });
      watcher.on("error", disarm);
    } catch {
      // No watch is to be had (the limit of inotify, a directory just deleted): the next look tries again.
      watched = undefined;
    }
  }

  function disarm(): void {
    watcher?.close();
    watcher = undefined;
    watched = undefined;
  }

  function look(): void {
    const current = identityOf(path);
    if (current === watched) return;
    watched = current;
    arm();
    onHint(undefined);
  }

  return () => {
    clearInterval(timer);
    watcher?.close();
  };
}

/** The inode alone would not do: a directory that is made right after another was deleted often gets the same one. */
function identityOf(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats?.isDirectory() ? `${stats.dev}:${stats.ino}:${stats.birthtimeNs}` : undefined;
}
