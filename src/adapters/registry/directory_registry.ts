/**
 * The registry as a directory with one file per VM.
 *
 * What cannot be read is told apart with care, since the answers have different consequences: a record that is absent ends
 * the tracking of its VM, a record that is invalid leaves the last good one in force, and a registry that is unreadable says
 * nothing at all. An untrusted or missing directory, and a host out of file descriptors, are the last.
 *
 * Reading is synchronous, in slices between which the event loop turns: for small files that is several times cheaper than
 * a thread's round trip each.
 * @module
 */

import { type BigIntStats, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { judgeDirectory, readTrustedFile } from "../../config/trusted_file.ts";
import type { VmId } from "../../domain/vm_record.ts";
import type { InvalidRecord, Registry, UnreadableRegistry } from "../../ports/registry.ts";
import { createParsedRecords, type ParsedRecords, type RecordEntry } from "./parsed_records.ts";
import { readRecordFileName, recordFileName } from "./record_file_name.ts";
import { createRecordParser, type ParsedText, type RecordParser } from "./record_parser.ts";
import { watchDirectory } from "./watched_directory.ts";

export const RECORD_BYTES_MAX = 256 * 1024;
/** More names than this are no registry of one host. */
export const NAMES_MAX = 100_000;
const SLICE = 128;

export interface DirectoryRegistryOptions {
  readonly path: string;
  /** The agent's own user. */
  readonly uid: number;
  /** Shared with whoever else reads records. @default one of its own */
  readonly parser?: RecordParser;
}

interface Reader {
  readonly path: string;
  readonly uid: number;
  readonly parser: RecordParser;
  readonly parsed: ParsedRecords;
}

type FileEntry = RecordEntry | { readonly kind: "absent" } | UnreadableRegistry;

export function createDirectoryRegistry(options: DirectoryRegistryOptions): Registry {
  const { path, uid, parser = createRecordParser() } = options;
  const parsed = createParsedRecords();
  const reader: Reader = { path, uid, parser, parsed };
  return {
    path,
    async list() {
      const unreadable = whyUnreadable(options);
      if (unreadable !== undefined) return unreadable;
      const names = namesIn(path);
      if (!Array.isArray(names)) return names;
      const entries: RecordEntry[] = [];
      const paths = new Set<string>();
      const ids = new Set<VmId>();
      for (const [index, name] of names.entries()) {
        if (index % SLICE === SLICE - 1) await nextTurn();
        const entry = readEntry(reader, name);
        if (entry === undefined || entry.kind === "absent") continue;
        if (entry.kind === "unreadable") return entry;
        paths.add(join(path, name));
        if (entry.id !== undefined) ids.add(entry.id);
        entries.push(entry);
      }
      parsed.keepOnly(paths);
      parser.keepOnly(ids);
      // A directory that was moved away meanwhile looks empty.
      return whyUnreadable(options) ?? { kind: "listed", entries };
    },
    async read(id) {
      const entry = readRecord(reader, id);
      return whyUnreadable(options) ?? entry;
    },
    watch: (onHint) =>
      watchDirectory(path, (name) => {
        const reading = name === undefined ? undefined : readRecordFileName(name);
        if (reading?.kind === "temporary") return;
        onHint(reading?.kind === "record" ? reading.id : undefined);
      }),
  };
}

function whyUnreadable({ path, uid }: DirectoryRegistryOptions): UnreadableRegistry | undefined {
  const directory = judgeDirectory(path, { uid });
  switch (directory.kind) {
    case "trusted":
      return undefined;
    case "absent":
      return unreadable(path, `Cannot read ${path} as the directory must exist: current value is absent`);
    default:
      return unreadable(path, directory.error);
  }
}

function namesIn(path: string): string[] | UnreadableRegistry {
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return unreadable(path, `Cannot read ${path} as the host must allow it: current value is ${reason}`);
  }
  if (names.length <= NAMES_MAX) return names.sort();
  return unreadable(
    path,
    `Cannot read ${path} as it must hold at most ${NAMES_MAX} files: current value is ${names.length}`,
  );
}

/** Undefined: the file is nobody's record. */
function readEntry(reader: Reader, name: string): FileEntry | undefined {
  const reading = readRecordFileName(name);
  switch (reading.kind) {
    case "temporary":
      return undefined;
    case "refused":
      return { kind: "invalid", id: undefined, path: join(reader.path, name), error: reading.error };
    default:
      return readRecord(reader, reading.id);
  }
}

function readRecord({ path: directory, uid, parser, parsed }: Reader, id: VmId): FileEntry {
  const path = join(directory, recordFileName(id));
  const known = lstat(path);
  const recalled = known === undefined ? undefined : parsed.recall(path, known);
  if (recalled !== undefined) return recalled;
  const nowMs = Date.now();
  const file = readTrustedFile(path, { uid, bytesMax: RECORD_BYTES_MAX });
  switch (file.kind) {
    case "absent":
      return file;
    case "unreadable":
      return unreadable(path, file.error);
    case "refused":
      return { kind: "invalid", id, path, error: file.error };
    default: {
      const entry = entryOf(id, path, parser.parse(id, file.text));
      parsed.remember(path, file.stats, nowMs, entry);
      return entry;
    }
  }
}

function entryOf(id: VmId, path: string, { reading, text }: ParsedText): RecordEntry {
  if (reading.kind === "valid") return { kind: "record", id, record: reading.record, source: text };
  return { kind: "invalid", id, path, error: reading.errors.join("; ") } satisfies InvalidRecord;
}

function lstat(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch {
    // Whatever is wrong with it, reading it says so.
    return undefined;
  }
}

function unreadable(path: string, error: string): UnreadableRegistry {
  return { kind: "unreadable", path, error };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
