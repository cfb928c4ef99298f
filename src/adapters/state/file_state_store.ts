/**
 * What the agent remembers, as files: what a reboot may forget below `state_dir`, what it may not below `durable_dir`.
 *
 *     <state_dir>/vms/<id>.json            attempts, the last main process, a launch under way
 *     <state_dir>/host.json                forced stops, whether the last stop was clean
 *     <durable_dir>/last_good/<id>.json    the text of the last good record
 *     <durable_dir>/started_once/<id>      the content for which a VM with `restart: never` was started
 *
 * The last good records are acted on when the registry's are damaged, so the same trust is asked of them as of the registry.
 * A directory that was wiped is made again at the next save.
 * @module
 */

import { readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { z } from "zod";
import { readTrustedFile } from "../../config/trusted_file.ts";
import { whyPathUntrusted } from "../../config/trusted_path.ts";
import { parseVmRecord } from "../../config/vm_record_schema.ts";
import { VM_ID_PATTERN, type VmId, type VmRecord } from "../../domain/vm_record.ts";
import type { SaveOutcome, StateStore } from "../../ports/state_store.ts";
import { createDurableWriter } from "./durable_write.ts";
import { hostStateFile, parseState, runtimeStateFile, startedOnceFile, stateText } from "./state_files.ts";

/** As large as the largest record. */
const FILE_BYTES_MAX = 256 * 1024;

export interface FileStateStoreOptions {
  readonly stateDir: string;
  readonly durableDir: string;
  /** State of another boot is ignored. */
  readonly bootId: string;
  /** The agent's own user. */
  readonly uid: number;
}

export function createFileStateStore(options: FileStateStoreOptions): StateStore {
  const { stateDir, durableDir, bootId, uid } = options;
  const vmsDir = join(stateDir, "vms");
  const hostPath = join(stateDir, "host.json");
  const lastGoodDir = join(durableDir, "last_good");
  const startedOnceDir = join(durableDir, "started_once");
  const writer = createDurableWriter();
  /** Texts of last good records that are on disk, so that a start does not write a thousand files anew. */
  const lastGood = new Map<VmId, string>();

  async function save(path: string, text: string): Promise<SaveOutcome> {
    try {
      const untrusted = whyUntrusted(dirname(path));
      if (untrusted !== undefined) return { kind: "failed", error: untrusted };
      await writer.write(path, text);
      return { kind: "saved" };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { kind: "failed", error: `Cannot write ${path} as the host must allow it: current value is ${reason}` };
    }
  }

  /** Whoever can write beside the files could put others in their place. A directory that is absent will be made. */
  const whyUntrusted = (directory: string) => whyPathUntrusted(directory, { uid });

  async function forget(path: string): Promise<void> {
    try {
      await writer.remove(path);
    } catch {
      // It is read again at the next start, where what it says is compared with the host.
    }
  }

  function read(path: string): string | undefined {
    const file = readTrustedFile(path, { uid, bytesMax: FILE_BYTES_MAX });
    return file.kind === "read" ? file.text : undefined;
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
      await Promise.all([stateDir, vmsDir, lastGoodDir, startedOnceDir].map(removeTemporaries));
      const hostText = whyUntrusted(stateDir) === undefined ? read(hostPath) : undefined;
      return {
        vms: readAll(vmsDir, ".json", (_id, text) => ofThisBoot(runtimeStateFile, text)),
        host: hostText === undefined ? undefined : ofThisBoot(hostStateFile, hostText),
      };
    },
    saveVm: (id, state) => save(join(vmsDir, `${id}.json`), stateText(state)),
    forgetVm: (id) => forget(join(vmsDir, `${id}.json`)),
    saveHost: (state) => save(hostPath, stateText(state)),

    async loadLastGood() {
      return readAll(lastGoodDir, ".json", (id, text): VmRecord | undefined => {
        const reading = parseVmRecord(id, text);
        if (reading.kind === "invalid") return undefined;
        lastGood.set(id, text);
        return reading.record;
      });
    },
    async saveLastGood(id, source) {
      const path = join(lastGoodDir, `${id}.json`);
      if (lastGood.get(id) === source && read(path) === source) return { kind: "saved" };
      const outcome = await save(path, source);
      if (outcome.kind === "saved") lastGood.set(id, source);
      return outcome;
    },
    async forgetLastGood(id) {
      lastGood.delete(id);
      await forget(join(lastGoodDir, `${id}.json`));
    },

    async loadStartedOnce() {
      return readAll(startedOnceDir, "", (_id, text) => parseState(startedOnceFile, text)?.contentHash);
    },
    saveStartedOnce: (id, contentHash) => save(join(startedOnceDir, id), stateText({ contentHash })),
    forgetStartedOnce: (id) => forget(join(startedOnceDir, id)),
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
    if (!/^\.\d+-\d+\.tmp$/.test(name)) continue;
    try {
      await rm(join(directory, name), { force: true });
    } catch {
      // It takes a few bytes and means nothing.
    }
  }
}
