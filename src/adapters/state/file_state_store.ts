/**
 * What the agent remembers, as files: what a reboot may forget below `state_dir`, what it may not below `durable_dir`.
 *
 *     <state_dir>/vms/<id>.json            attempts, the last main process, a launch under way
 *     <state_dir>/host.json                forced stops, whether the last stop was clean
 *     <durable_dir>/last_good/<id>.json    the text of the last good record
 *     <durable_dir>/started_once/<id>      the content for which a VM with `restart: never` was started
 *
 * Nothing below `state_dir` is synced: of another boot it is ignored, so nobody asks what a crash of the host left of it. A last good
 * record must be whole after one; it may be the one before, as the record itself is read again. Only what was started once must
 * be on the disk before the launch: forgotten, it would be started twice.
 *
 * The last good records are acted on when the registry's are damaged, so the same trust is asked of them as of the registry.
 * A directory that was wiped is made again at the next save. A disk that does not answer makes saves fail, in time. To load,
 * it must answer: an agent that cannot know what it did before does not begin.
 * @module
 */

import { readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { z } from "zod";
import { readTrustedFile } from "../../config/trusted_file.ts";
import { whyPathUntrusted } from "../../config/trusted_path.ts";
import { VM_ID_PATTERN, type VmId, type VmRecord } from "../../domain/vm_record.ts";
import type { SaveOutcome, StateStore } from "../../ports/state_store.ts";
import { createRecordParser, type RecordParser } from "../registry/record_parser.ts";
import { createDiskProbe, type DiskProbe } from "./disk_probe.ts";
import { createDiskQueue } from "./disk_queue.ts";
import { removeFile, replaceFile, type Survival, TEMPORARY_NAME } from "./replace_file.ts";
import { hostStateFile, parseState, runtimeStateFile, startedOnceFile, stateText } from "./state_files.ts";

/** As large as the largest record. */
const FILE_BYTES_MAX = 256 * 1024;
/** Of a disk that takes longer nobody knows whether it will ever answer. */
const TIMEOUT_MS = 5_000;
const HOST_FILE = "host.json";
const RUNTIME_CALLS_MAX = 8;
/** What hangs keeps a thread, and this disk may be another computer's. */
const DURABLE_CALLS_MAX = 1;

export interface FileStateStoreOptions {
  readonly stateDir: string;
  readonly durableDir: string;
  /** State of another boot is ignored. */
  readonly bootId: string;
  /** The agent's own user. */
  readonly uid: number;
  /** Whether the disk of `durableDir` answers; shared with whoever else reads there. @default one of its own */
  readonly durableAnswers?: DiskProbe;
  /** Shared with the registry. @default one of its own */
  readonly parser?: RecordParser;
  /** @default 5 s */
  readonly timeoutMs?: number;
}

/** Where a file lies, as far as it matters for how it is written. */
interface Place {
  readonly directory: string;
  readonly survival: Survival;
}

export function createFileStateStore(options: FileStateStoreOptions): StateStore {
  const { stateDir, durableDir, bootId, uid, timeoutMs = TIMEOUT_MS } = options;
  const vms: Place = { directory: join(stateDir, "vms"), survival: "agent" };
  const host: Place = { directory: stateDir, survival: "agent" };
  const lastGood: Place = { directory: join(durableDir, "last_good"), survival: "host" };
  const startedOnce: Place = { directory: join(durableDir, "started_once"), survival: "host_at_once" };
  const parser = options.parser ?? createRecordParser();
  const durableAnswers = options.durableAnswers ?? createDiskProbe(durableDir);
  const runtimeDisk = createDiskQueue({ timeoutMs, callsMax: RUNTIME_CALLS_MAX });
  const durableDisk = createDiskQueue({ timeoutMs, callsMax: DURABLE_CALLS_MAX });
  /** Texts of last good records that are on disk, so that a start does not write a thousand files anew. */
  const lastGoodTexts = new Map<VmId, string>();

  async function save(place: Place, name: string, text: string): Promise<SaveOutcome> {
    const path = join(place.directory, name);
    try {
      return await onDisk(place, path, async (isLate) => {
        const untrusted = whyUntrusted(place.directory);
        if (untrusted !== undefined) return { kind: "failed", error: untrusted };
        await replaceFile(path, text, { survival: place.survival, isLate });
        return { kind: "saved" };
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { kind: "failed", error: `Cannot write ${path} as the host must allow it: current value is ${reason}` };
    }
  }

  function onDisk<T>(place: Place, path: string, work: (isLate: () => boolean) => Promise<T>): Promise<T> {
    if (place.survival === "agent") return runtimeDisk.run(path, work);
    return durableDisk.run(path, async (isLate) => {
      if (!(await durableAnswers(timeoutMs))) throw new Error(`no answer within ${timeoutMs / 1000} s`);
      return await work(isLate);
    });
  }

  /** Whoever can write beside the files could put others in their place. A directory that is absent will be made. */
  const whyUntrusted = (directory: string) => whyPathUntrusted(directory, { uid });

  async function forget(place: Place, name: string): Promise<void> {
    const path = join(place.directory, name);
    try {
      await onDisk(place, path, () => removeFile(path, place.survival));
    } catch {
      // It is read again at the next start, where what it says is compared with the host.
    }
  }

  function read(path: string): string | undefined {
    const file = readTrustedFile(path, { uid, bytesMax: FILE_BYTES_MAX });
    return file.kind === "read" ? file.text : undefined;
  }

  async function isLastGood(name: string, source: string): Promise<boolean> {
    const path = join(lastGood.directory, name);
    try {
      return await onDisk(lastGood, path, async () => read(path) === source);
    } catch {
      return false;
    }
  }

  function readAll<T>(directory: string, suffix: string, parse: (id: VmId, text: string) => T | undefined) {
    const found = new Map<VmId, T>();
    if (whyUntrusted(directory) !== undefined) return found;
    for (const name of namesIn(directory)) {
      const id = name.endsWith(suffix) ? name.slice(0, name.length - suffix.length) : "";
      if (!VM_ID_PATTERN.test(id)) continue;
      const text = read(join(directory, name));
      const value = text === undefined ? undefined : parse(id, text);
      if (value !== undefined) found.set(id, value);
    }
    return found;
  }

  function ofThisBoot<T extends { readonly bootId: string }>(shape: z.ZodType<T>, text: string): T | undefined {
    const state = parseState(shape, text);
    return state?.bootId === bootId ? state : undefined;
  }

  return {
    async load() {
      await Promise.all([vms, host, lastGood, startedOnce].map(({ directory }) => removeTemporaries(directory)));
      const hostText = whyUntrusted(stateDir) === undefined ? read(join(stateDir, HOST_FILE)) : undefined;
      return {
        vms: readAll(vms.directory, ".json", (_id, text) => ofThisBoot(runtimeStateFile, text)),
        host: hostText === undefined ? undefined : ofThisBoot(hostStateFile, hostText),
      };
    },
    saveVm: (id, state) => save(vms, `${id}.json`, stateText(state)),
    forgetVm: (id) => forget(vms, `${id}.json`),
    saveHost: (state) => save(host, HOST_FILE, stateText(state)),

    async loadLastGood() {
      return readAll(lastGood.directory, ".json", (id, source): VmRecord | undefined => {
        const { text, reading } = parser.parse(id, source);
        if (reading.kind === "invalid") return undefined;
        lastGoodTexts.set(id, text);
        return reading.record;
      });
    },
    async saveLastGood(id, source) {
      const name = `${id}.json`;
      if (lastGoodTexts.get(id) === source && (await isLastGood(name, source))) return { kind: "saved" };
      const outcome = await save(lastGood, name, source);
      if (outcome.kind === "saved") lastGoodTexts.set(id, source);
      return outcome;
    },
    async forgetLastGood(id) {
      lastGoodTexts.delete(id);
      await forget(lastGood, `${id}.json`);
    },

    async loadStartedOnce() {
      return readAll(startedOnce.directory, "", (_id, text) => parseState(startedOnceFile, text)?.contentHash);
    },
    saveStartedOnce: (id, contentHash) => save(startedOnce, id, stateText({ contentHash })),
    forgetStartedOnce: (id) => forget(startedOnce, id),
  };
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** An agent that was killed while it wrote leaves a file that nobody will rename any more. */
async function removeTemporaries(directory: string): Promise<void> {
  for (const name of namesIn(directory)) {
    if (!TEMPORARY_NAME.test(name)) continue;
    try {
      await rm(join(directory, name), { force: true });
    } catch {
      // It takes a few bytes and means nothing.
    }
  }
}
