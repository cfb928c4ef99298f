/**
 * Where the output of directly launched VMs goes: `<stateDir>/console/<id>.log`, and `.log.1` for what came before.
 *
 * A VM writes to its file itself, since a pipe would break with the agent, and the VM would follow. So nothing stands
 * between a talkative guest and the file, and the agent cuts it back: every `CUT_INTERVAL_MS` the end of a file that has
 * grown over `bytesMax` moves to `.log.1` and the file is emptied, which goes unnoticed by the VM as it appends. Lines
 * written during the copy are lost. A file may exceed its bound by what is written between two cuts, and while no agent
 * runs. Since a guest decides how much that is, cuts follow each other more closely while any file needs one, and a file
 * is emptied even where its end cannot be kept: one that has filled its file system keeps every VM there from starting.
 *
 * A console outlives its VM by `keptMs`, for whoever asks why it ended.
 * @module
 */

import { constants, mkdirSync, openSync, renameSync } from "node:fs";
import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { VmId } from "../../domain/vm_record.ts";
import { errorCode } from "../process/proc_file.ts";
import { writeNewFile } from "../state/new_file.ts";
import { removeEndedConsoles } from "./ended_consoles.ts";

const CUT_INTERVAL_MS = 10_000;
const TALKATIVE_INTERVAL_MS = 250;
const CONSOLE_BYTES_MAX = 1024 * 1024;
const KEPT_MS = 24 * 3_600_000;
const REMOVAL_INTERVAL_MS = 3_600_000;
const SUFFIX = ".log";
const OLDER = ".1";

export interface ConsoleFiles {
  /**
   * The descriptor of an empty file, open for appending, to be closed by the caller. The output of the VM's last run
   * becomes the older one.
   *
   * @throws {Error} When the file cannot be made.
   */
  open(id: VmId): number;
  pathOf(id: VmId): string;
  /** Cuts every file that is too long, those of VMs that another agent launched among them. Resolves with how many were. */
  cut(): Promise<number>;
  /** Removes what is left of VMs that ended long ago. Resolves with how many files were. */
  removeEnded(): Promise<number>;
}

export interface ConsoleFilesOptions {
  /** @default 1 MiB */
  readonly bytesMax?: number;
  /** @default a day */
  readonly keptMs?: number;
}

export function createConsoleFiles(directory: string, options: ConsoleFilesOptions = {}): ConsoleFiles {
  const { bytesMax = CONSOLE_BYTES_MAX, keptMs = KEPT_MS } = options;
  const cutAll = async () => {
    let cuts = 0;
    for (const name of await namesIn(directory)) {
      if (!name.endsWith(SUFFIX)) continue;
      // A file that vanishes or cannot be cut is looked at again next time.
      const wasLong = await cutFile(join(directory, name), bytesMax).catch(() => false);
      if (wasLong) cuts += 1;
    }
    return cuts;
  };
  let underWay: Promise<number> | undefined;
  // Two at once would keep the end of a file that the other one has emptied.
  const cut = () => {
    underWay ??= cutAll().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
  const removeEnded = async () => {
    const paths = (await namesIn(directory)).map((name) => join(directory, name));
    return await removeEndedConsoles(paths, keptMs).catch(() => 0);
  };
  let removedAt = performance.now();
  const cutAfter = (waitMs: number) => {
    const timer = setTimeout(async () => {
      const cuts = await cut();
      if (performance.now() >= removedAt + REMOVAL_INTERVAL_MS) {
        removedAt = performance.now();
        await removeEnded();
      }
      cutAfter(cuts > 0 ? TALKATIVE_INTERVAL_MS : CUT_INTERVAL_MS);
    }, waitMs);
    timer.unref();
  };
  // What an earlier agent's VMs wrote while no agent ran.
  cutAfter(0);
  const pathOf = (id: VmId) => join(directory, `${id}${SUFFIX}`);
  return {
    open(id) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const path = pathOf(id);
      try {
        renameSync(path, `${path}${OLDER}`);
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
      }
      const { O_APPEND, O_CREAT, O_EXCL, O_WRONLY } = constants;
      return openSync(path, O_APPEND | O_CREAT | O_EXCL | O_WRONLY, 0o600);
    },
    pathOf,
    cut,
    removeEnded,
  };
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith(SUFFIX) || name.endsWith(SUFFIX + OLDER));
  } catch {
    return [];
  }
}

/** Whether it was too long. What is no file of its own name, such as a link or a pipe, is not touched. */
async function cutFile(path: string, bytesMax: number): Promise<boolean> {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;
  const file = await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size <= bytesMax) return false;
    // Where it cannot be kept, it must go all the same.
    await keepEnd(file, stats.size, `${path}${OLDER}`, bytesMax).catch(() => {});
    await file.truncate(0);
    return true;
  } finally {
    await file.close();
  }
}

async function keepEnd(file: FileHandle, size: number, olderPath: string, bytesMax: number): Promise<void> {
  const kept = Buffer.alloc(Math.min(size, Math.ceil(bytesMax / 2)));
  const { bytesRead } = await file.read(kept, 0, kept.length, size - kept.length);
  await writeNewFile(olderPath, kept.subarray(0, bytesRead), { mode: 0o600, synced: false });
}
