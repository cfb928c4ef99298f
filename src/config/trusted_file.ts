/**
 * Reads files that decide what is run or stopped as root.
 *
 * Whoever can write such a file, or put another in its place, is root in effect. So the file and the directory it stands in
 * must belong to root or to the agent's own user, and nobody else may write there. Links are refused, as the place they
 * lead to was not judged. The file is judged by what was opened, so nothing can be exchanged in between.
 * @module
 */

import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";

export interface TrustOptions {
  /** The agent's own user. */
  readonly uid: number;
}

export type FileReading =
  | { readonly kind: "read"; readonly text: string; readonly stats: BigIntStats }
  | { readonly kind: "absent" }
  /** It is there and must not be used. */
  | { readonly kind: "refused"; readonly error: string }
  /** The host failed to read it: this says nothing of the file. */
  | { readonly kind: "unreadable"; readonly error: string };

const WRITABLE_BY_OTHERS = 0o022;

/** Says why a file or directory must not be trusted; undefined when it may be. */
export function whyUntrusted(
  path: string,
  stats: Pick<Stats | BigIntStats, "uid" | "mode">,
  options: TrustOptions,
): string | undefined {
  const owner = Number(stats.uid);
  if (owner !== 0 && owner !== options.uid) {
    const users = options.uid === 0 ? "root" : `root or uid ${options.uid}`;
    return `Cannot trust ${path} as it must belong to ${users}: current value is uid ${owner}`;
  }
  const mode = Number(stats.mode) & 0o7777;
  if ((mode & WRITABLE_BY_OTHERS) === 0) return undefined;
  return `Cannot trust ${path} as group and others must not be able to write to it: current value is mode ${octal(mode)}`;
}

export type DirectoryJudgement =
  | { readonly kind: "trusted"; readonly stats: BigIntStats }
  | Exclude<FileReading, { readonly kind: "read" }>;

/** Judges a directory; a link to one is followed. */
export function judgeDirectory(path: string, options: TrustOptions): DirectoryJudgement {
  let stats: BigIntStats;
  try {
    stats = statSync(path, { bigint: true });
  } catch (error) {
    return failureOf(path, error);
  }
  if (!stats.isDirectory()) {
    return {
      kind: "refused",
      error: `Cannot use ${path} as it must be a directory: current value is ${kindOf(stats)}`,
    };
  }
  const why = whyUntrusted(path, stats, options);
  return why === undefined ? { kind: "trusted", stats } : { kind: "refused", error: why };
}

export interface FileLimits extends TrustOptions {
  readonly bytesMax: number;
}

/** Reads one file of at most `bytesMax` bytes of UTF-8. The directory it stands in is judged by the caller. */
export function readTrustedFile(path: string, limits: FileLimits): FileReading {
  let fd: number | undefined;
  try {
    // Before it is opened, as opening a device can have effects, and opening a pipe or a link is never wanted.
    const before = whyRefused(path, lstatSync(path, { bigint: true }), limits);
    if (before !== undefined) return { kind: "refused", error: before };
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stats = fstatSync(fd, { bigint: true });
    const why = whyRefused(path, stats, limits);
    if (why !== undefined) return { kind: "refused", error: why };
    const bytes = readAtMost(fd, limits.bytesMax + 1);
    if (bytes.length > limits.bytesMax)
      return { kind: "refused", error: tooLarge(path, bytes.length, limits.bytesMax) };
    return { kind: "read", text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), stats };
  } catch (error) {
    if (error instanceof TypeError) {
      return { kind: "refused", error: `Cannot read ${path} as it must be UTF-8: current value is other bytes` };
    }
    return failureOf(path, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Says why something that stands at `path` is no file to be read. */
export function whyRefused(path: string, stats: BigIntStats, limits: FileLimits): string | undefined {
  if (!stats.isFile()) return `Cannot read ${path} as it must be a regular file: current value is ${kindOf(stats)}`;
  if (stats.size > BigInt(limits.bytesMax)) return tooLarge(path, Number(stats.size), limits.bytesMax);
  return whyUntrusted(path, stats, limits);
}

function tooLarge(path: string, bytes: number, bytesMax: number): string {
  return `Cannot read ${path} as it must have at most ${bytesMax} bytes: current value is ${bytes} bytes`;
}

function readAtMost(fd: number, bytesMax: number): Buffer {
  const buffer = Buffer.alloc(Math.min(bytesMax, Math.max(1, Number(fstatSync(fd).size) + 1)));
  let length = 0;
  while (length < buffer.length) {
    const count = readSync(fd, buffer, length, buffer.length - length, null);
    if (count === 0) break;
    length += count;
  }
  return buffer.subarray(0, length);
}

function failureOf(path: string, error: unknown): Exclude<FileReading, { readonly kind: "read" }> {
  const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return { kind: "absent" };
    case "ELOOP":
      return { kind: "refused", error: `Cannot read ${path} as it must be a regular file: current value is a link` };
    case "EACCES":
    case "EPERM":
    case "ENXIO":
      return {
        kind: "refused",
        error: `Cannot read ${path} as the agent must be able to open it: current value is ${code}`,
      };
    case undefined:
      throw error;
    default:
      return { kind: "unreadable", error: `Cannot read ${path} as the host must allow it: current value is ${code}` };
  }
}

function kindOf(stats: BigIntStats): string {
  if (stats.isSymbolicLink()) return "a link";
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a pipe";
  if (stats.isSocket()) return "a socket";
  return stats.isFile() ? "a file" : "a device";
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
