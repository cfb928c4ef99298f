/**
 * Reads the parts of a process that belong to its program rather than to its moment: arguments, marks in the
 * environment, user, unit.
 *
 * What the agent may not read stays empty: a process of another user is still there, and the core must see it.
 * @module
 */

import { readlinkSync } from "node:fs";
import { INCARNATION_VARIABLE, LAUNCH_HASH_VARIABLE, type ProcessFacts, VM_ID_VARIABLE } from "../../domain/process.ts";
import { unitOf } from "./cgroup.ts";
import { variableOf } from "./environment.ts";
import { isForbidden, type ReadProcFile } from "./proc_file.ts";

const STATUS_BYTES_MAX = 16 * 1024;
const CGROUP_BYTES_MAX = 64 * 1024;
/** The kernel takes no longer single argument; command lines of VMMs are a tenth of it. */
const ARGV_BYTES_MAX = 128 * 1024;
const ARGUMENTS_MAX = 4096;
/** More than `execve` accepts, since a mark behind the limit would hide a VM. */
const ENVIRONMENT_BYTES_MAX = 8 * 1024 * 1024;

const DELETED = " (deleted)";

export type ProgramParts = Pick<ProcessFacts, "uid" | "exe" | "argv" | "unit" | "vmId" | "launchHash" | "incarnation">;

export interface ProgramReading {
  readonly parts: ProgramParts;
  /** Neither arguments nor an environment, although reading them is permitted. */
  readonly blank: boolean;
}

/**
 * @param path `/proc/<pid>`, or `/proc/<pid>/task/<tid>` where the first thread has ended
 * @param hasMemory whether there are arguments, an environment and an executable to read
 * @throws {Error} As the system calls do, unless only the right to look is missing.
 */
export function readProgram(read: ReadProcFile, path: string, hasMemory: boolean): ProgramReading {
  const environment = hasMemory ? unlessForbidden(() => read(`${path}/environ`, ENVIRONMENT_BYTES_MAX)) : undefined;
  const blankEnvironment = environment?.length === 0;
  const marks = {
    vmId: environment && variableOf(environment, VM_ID_VARIABLE),
    launchHash: environment && variableOf(environment, LAUNCH_HASH_VARIABLE),
    incarnation: environment && parseCount(variableOf(environment, INCARNATION_VARIABLE)),
  };
  const argv = hasMemory ? unlessForbidden(() => parseArgv(read(`${path}/cmdline`, ARGV_BYTES_MAX))) : undefined;
  const exe = hasMemory ? unlessForbidden(() => programOf(readlinkSync(`${path}/exe`))) : undefined;
  const cgroup = unlessForbidden(() => read(`${path}/cgroup`, CGROUP_BYTES_MAX).toString("latin1"));
  return {
    parts: {
      uid: readUid(read, path),
      exe: exe ?? "",
      argv: argv ?? [],
      unit: cgroup === undefined ? undefined : unitOf(cgroup),
      ...marks,
    },
    blank: blankEnvironment && argv?.length === 0,
  };
}

/** The owner of `/proc/<pid>` will not do: it is root for every process that may not be dumped. */
function readUid(read: ReadProcFile, path: string): number {
  const text = read(`${path}/status`, STATUS_BYTES_MAX).toString("latin1");
  const uid = /^Uid:\t(\d+)/m.exec(text)?.[1];
  if (uid === undefined) {
    throw new Error(`Cannot read ${path}/status as it must name a Uid: current value is "${text}"`);
  }
  return Number(uid);
}

function parseArgv(bytes: Buffer): readonly string[] {
  if (bytes.length === 0) return [];
  const text = bytes.toString("utf8");
  return (text.endsWith("\0") ? text.slice(0, -1) : text).split("\0", ARGUMENTS_MAX);
}

/** Base name of the executable; the kernel adds a word when its file was unlinked or replaced. */
export function programOf(exeLink: string): string {
  const path = exeLink.endsWith(DELETED) ? exeLink.slice(0, -DELETED.length) : exeLink;
  return path.slice(path.lastIndexOf("/") + 1);
}

function parseCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function unlessForbidden<T>(readPart: () => T): T | undefined {
  try {
    return readPart();
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}
