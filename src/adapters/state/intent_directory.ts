/**
 * Holds and leases as files, one each:
 *
 *     <durable_dir>/holds/<id>.json     {"reason", "actor", "expires"?}
 *     <durable_dir>/holds/_all.json     of every VM
 *     <state_dir>/leases/<id>.json      {"op", "expires", "pid"?, "start_ticks"?, "boot_id"?}
 *
 * Names that begin with a dot, and those that end in `~` or `.tmp`, are of programs that are still writing. Any other name that is no id
 * holds nothing, as there is no such VM, but it is reported: somebody meant something by it.
 * @module
 */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { judgeDirectory, readTrustedFile } from "../../config/trusted_file.ts";
import { wallMs } from "../../domain/time.ts";
import { unreachable } from "../../domain/unreachable.ts";
import { VM_ID_PATTERN } from "../../domain/vm_record.ts";
import type { Intent, IntentEntry, IntentReading } from "../../ports/intent.ts";
import { recordFileName } from "../registry/record_file_name.ts";
import { watchDirectory } from "../registry/watched_directory.ts";
import { createDiskProbe, type DiskProbe } from "./disk_probe.ts";
import { parseHold, parseLease } from "./intent_files.ts";

const FILE_BYTES_MAX = 64 * 1024;
const FILES_MAX = 100_000;
const ANSWER_TIMEOUT_MS = 2_000;
const ALL = "_all.json";

export interface IntentDirectoryOptions {
  readonly stateDir: string;
  readonly durableDir: string;
  /** The agent's own user. */
  readonly uid: number;
  /** Whether the disk of `durableDir` answers; shared with whoever else reads there. @default one of its own */
  readonly durableAnswers?: DiskProbe;
}

type Unreadable = Extract<IntentReading, { readonly kind: "unreadable" }>;
type Kind = "hold" | "lease";

export function createIntentDirectory(options: IntentDirectoryOptions): Intent {
  const { stateDir, durableDir, uid, durableAnswers = createDiskProbe(durableDir) } = options;
  const directories: readonly { readonly kind: Kind; readonly path: string }[] = [
    { kind: "hold", path: join(durableDir, "holds") },
    { kind: "lease", path: join(stateDir, "leases") },
  ];

  /** `namesIn` gives the names to read in a directory that exists and is trusted. */
  async function read(
    namesIn: (directory: string, kind: Kind) => readonly string[] | Unreadable,
  ): Promise<IntentReading> {
    if (!(await durableAnswers(ANSWER_TIMEOUT_MS))) {
      const rule = "its file system must answer";
      const current = `no answer within ${ANSWER_TIMEOUT_MS / 1000} s`;
      return unreadable(durableDir, `Cannot read ${durableDir} as ${rule}: current value is ${current}`);
    }
    const entries: IntentEntry[] = [];
    for (const { kind, path } of directories) {
      const judgement = judgeDirectory(path, { uid });
      if (judgement.kind === "absent") continue;
      if (judgement.kind !== "trusted") return { kind: "unreadable", path, error: judgement.error };
      const names = namesIn(path, kind);
      if ("kind" in names) return names;
      for (const name of names) {
        const entry = readEntry(kind, path, name, uid);
        if (entry?.kind === "unreadable") return entry;
        if (entry !== undefined) entries.push(entry);
      }
    }
    return { kind: "read", entries };
  }

  return {
    list: () => read(namesOf),
    async read(id) {
      return await read((_directory, kind) => (kind === "hold" ? [recordFileName(id), ALL] : [recordFileName(id)]));
    },
    watch(onHint) {
      const ends = directories.map(({ path }) =>
        watchDirectory(path, (name) => {
          if (name !== undefined && isTemporary(name)) return;
          const id = name === undefined || name === ALL ? "" : stemOf(name);
          onHint(VM_ID_PATTERN.test(id) ? id : undefined);
        }),
      );
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

function namesOf(directory: string): readonly string[] | Unreadable {
  try {
    const names = readdirSync(directory).filter((name) => !isTemporary(name));
    if (names.length <= FILES_MAX) return names.sort();
    const rule = `it must hold at most ${FILES_MAX} files`;
    return unreadable(directory, `Cannot read ${directory} as ${rule}: current value is ${names.length}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return unreadable(directory, `Cannot read ${directory} as the host must allow it: current value is ${reason}`);
  }
}

function readEntry(kind: Kind, directory: string, name: string, uid: number): IntentEntry | Unreadable | undefined {
  const path = join(directory, name);
  const vmId = kind === "hold" && name === ALL ? undefined : stemOf(name);
  if (vmId !== undefined && !(name.endsWith(".json") && VM_ID_PATTERN.test(vmId))) {
    const rule = `a file's name must be an id that matches ${VM_ID_PATTERN} and .json`;
    const error = `Cannot use the file as a ${kind} as ${rule}: current value is ${JSON.stringify(name)}`;
    return { kind: "malformed", vmId, path, error };
  }
  const file = readTrustedFile(path, { uid, bytesMax: FILE_BYTES_MAX });
  switch (file.kind) {
    case "absent":
      return undefined;
    case "unreadable":
      return unreadable(path, file.error);
    case "refused":
      return { kind: "malformed", vmId, path, error: file.error };
    case "read": {
      const writtenAt = wallMs(Number(file.stats.mtimeMs));
      const text =
        kind === "lease" && vmId !== undefined ? parseLease(vmId, file.text) : parseHold(vmId, file.text, writtenAt);
      return text.kind === "valid" ? text.entry : { kind: "malformed", vmId, path, error: text.error };
    }
    default:
      return unreachable(file);
  }
}

function stemOf(name: string): string {
  return name.endsWith(".json") ? name.slice(0, -".json".length) : name;
}

function isTemporary(name: string): boolean {
  return name.startsWith(".") || name.endsWith("~") || name.endsWith(".tmp");
}

function unreadable(path: string, error: string): Unreadable {
  return { kind: "unreadable", path, error };
}
