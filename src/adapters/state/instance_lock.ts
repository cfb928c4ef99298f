/**
 * One agent per registry, by locks of the kernel on files that are named after the registry: one after its device and inode, so that
 * it does not matter by which path it is reached, and one after its path, so that it does not matter when the directory is
 * replaced or not there yet.
 *
 * A lock is a POSIX record lock, taken by an exclusive transaction of SQLite, which both runtimes carry. Such a lock belongs to
 * one process: a child does not inherit it, and it ends with the process, however that ends. A lock by `flock` would belong to
 * the open file, and every child that got hold of the descriptor would keep it.
 * https://man7.org/linux/man-pages/man2/fcntl_locking.2.html, https://www.sqlite.org/lockingv3.html
 *
 * The kernel drops it when *any* descriptor of the file is closed in this process, so nothing here opens the file but SQLite; and
 * a database that nobody refers to is collected and closed by Bun, so `held` refers to it.
 *
 * The files must lie where agents with different configurations meet and where nobody else can squat on their names: not in
 * `state_dir`, not in a directory that all may write to, and not in the registry, which anybody who can read it could lock. No
 * link of another user's may stand on the way there: in `/tmp` he could lead the agents of one user to different places.
 * @module
 */

import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { whyPathUntrusted } from "../../config/trusted_path.ts";
import type { InstanceLock, LockOutcome } from "../../ports/instance_lock.ts";
import { errorCode } from "../process/proc_file.ts";
import { type Database, openDatabase } from "./sqlite.ts";

const SQLITE_BUSY = 5;
/** Each failure means that another agent just ended and took the file with it. */
const TRIES_MAX = 20;

const held = new Set<Database>();

export interface InstanceLockOptions {
  readonly registryPath: string;
  /** Where the lock's file lies; made when it is missing. */
  readonly directory: string;
  /** The agent's own user. */
  readonly uid: number;
}

/**
 * The directory of the locks: `/run/metald-lock` for root. Another user's agents meet in a directory of that user, so they exclude each
 * other, though not those of another user.
 *
 * @param runtimeDirectory `XDG_RUNTIME_DIR`
 */
export function lockDirectory(uid: number, runtimeDirectory: string | undefined): string {
  if (uid === 0) return "/run/metald-lock";
  return runtimeDirectory === undefined ? `/tmp/metald-lock-${uid}` : join(runtimeDirectory, "metald-lock");
}

export function createInstanceLock(options: InstanceLockOptions): InstanceLock {
  return {
    async acquire() {
      try {
        return acquire(options);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return { kind: "unavailable", error: `Cannot lock ${options.registryPath}: ${reason}` };
      }
    },
  };
}

function acquire({ registryPath, directory, uid }: InstanceLockOptions): LockOutcome {
  const locks: Extract<LockOutcome, { kind: "acquired" }>[] = [];
  for (const name of lockNames(registryPath)) {
    const outcome = acquireFile(join(directory, name), uid);
    if (outcome.kind === "acquired") {
      locks.unshift(outcome);
      continue;
    }
    for (const { release } of locks) release();
    if (outcome.kind === "unavailable") return outcome;
    return { kind: "held_by_another", detail: `${outcome.detail} for ${registryPath}` };
  }
  return {
    kind: "acquired",
    release() {
      for (const { release } of locks.splice(0)) release();
    },
    isHeld: () => locks.length > 0 && locks.every((each) => each.isHeld()),
  };
}

/** Always in the same order, so that of two agents that start at once one gets all. */
function lockNames(registryPath: string): string[] {
  const path = resolve(registryPath);
  const names = [`${createHash("sha256").update(path).digest("hex").slice(0, 16)}.lock`];
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats !== undefined) names.push(`${stats.dev}-${stats.ino}.lock`);
  return names;
}

function acquireFile(path: string, uid: number): LockOutcome {
  const directory = dirname(path);
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const why = makeTrusted(directory, uid);
    if (why !== undefined) return { kind: "unavailable", error: why };
    const inode = makeFile(path);
    if (inode === undefined) continue;
    const database = openDatabase(path);
    const error = lock(database);
    if (error === undefined && inodeOf(path) === inode) return hold(database, path, inode);
    database.close();
    if (error === undefined) continue;
    if (!isBusy(error)) throw error;
    return { kind: "held_by_another", detail: `${holderOf(inode)} holds ${path}` };
  }
  return { kind: "unavailable", error: `Cannot lock ${path} as it vanished ${TRIES_MAX} times` };
}

function hold(database: Database, path: string, inode: bigint): LockOutcome {
  held.add(database);
  return {
    kind: "acquired",
    release() {
      if (!held.delete(database)) return;
      try {
        // While it is locked: whoever opened it already finds, once it gets the lock, that the path names another file or none.
        rmSync(path, { force: true });
        rmdirSync(dirname(path));
      } catch {
        // Another agent's lock lies there, or the directory is the service manager's.
      }
      database.close();
    },
    isHeld: () => held.has(database) && inodeOf(path) === inode,
  };
}

function lock(database: Database): unknown {
  try {
    // Its journal would be a second file, which a killed agent leaves behind and which then has to be recovered.
    database.exec("PRAGMA journal_mode = MEMORY");
    database.exec("BEGIN EXCLUSIVE");
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Bun gives SQLite's code, Deno only its words: https://www.sqlite.org/rescode.html#busy */
function isBusy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("errcode" in error && error.errcode === SQLITE_BUSY) || error.message === "database is locked";
}

/** Judged before it is made, as a link of somebody else's leads anywhere, and after, as somebody else may have made it. */
function makeTrusted(directory: string, uid: number): string | undefined {
  const why = whyPathUntrusted(directory, { uid });
  if (why !== undefined) return why;
  if (mkdirSync(directory, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(directory, 0o700);
  return whyPathUntrusted(directory, { uid });
}

/** @returns the inode of the file at `path`, which is made if need be; undefined when it vanished meanwhile */
function makeFile(path: string): bigint | undefined {
  try {
    // Exclusively: a file that exists may be locked by this very process, and closing it would drop the lock.
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") return undefined;
    if (code !== "EEXIST") throw error;
  }
  return inodeOf(path);
}

function inodeOf(path: string): bigint | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

/** The process that holds the lock, from `/proc/locks`, for a person: https://man7.org/linux/man-pages/man5/proc_locks.5.html */
function holderOf(inode: bigint): string {
  try {
    const line = readFileSync("/proc/locks", "latin1")
      .split("\n")
      .find((text) => text.includes(" WRITE ") && text.includes(`:${inode} `));
    const pid = line?.trim().split(/\s+/)[4];
    return pid === undefined ? "another process" : `process ${pid}`;
  } catch {
    return "another process";
  }
}
