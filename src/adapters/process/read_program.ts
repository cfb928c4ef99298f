/**
 * Reads what of a process belongs to its program rather than to its moment.
 *
 * Two parts, since they change in different ways: the image (arguments, marks in the environment, executable) by `exec`
 * only, the standing (user, unit) at any time. And since they cost differently: arguments and environment lie in the
 * memory of the process, and reading them waits for whoever changes its map, which may be a thread that waits for a disk.
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

export type ProgramImage = Pick<ProcessFacts, "exe" | "argv" | "vmId" | "launchHash" | "incarnation">;
export type ProgramStanding = Pick<ProcessFacts, "uid" | "unit">;

/** Of a process whose memory cannot be read, or is gone. */
export const BLANK_IMAGE: ProgramImage = {
  exe: "",
  argv: [],
  vmId: undefined,
  launchHash: undefined,
  incarnation: undefined,
};

export interface ImageReading {
  readonly image: ProgramImage;
  /** Neither arguments nor an environment, although reading them is permitted. */
  readonly blank: boolean;
}

/**
 * @param path `/proc/<pid>`, or `/proc/<pid>/task/<tid>` where the first thread has ended
 * @throws {Error} As the system calls do, unless only the right to look is missing.
 */
export function readImage(read: ReadProcFile, path: string): ImageReading {
  const environment = unlessForbidden(() => read(`${path}/environ`, ENVIRONMENT_BYTES_MAX));
  const blankEnvironment = environment?.length === 0;
  const marks = {
    vmId: environment && variableOf(environment, VM_ID_VARIABLE),
    launchHash: environment && variableOf(environment, LAUNCH_HASH_VARIABLE),
    incarnation: environment && parseCount(variableOf(environment, INCARNATION_VARIABLE)),
  };
  const argv = unlessForbidden(() => parseArgv(read(`${path}/cmdline`, ARGV_BYTES_MAX)));
  return {
    image: { exe: readExe(path), argv: argv ?? [], ...marks },
    blank: blankEnvironment && argv?.length === 0,
  };
}

/** Base name of the executable; empty when it may not be read. It needs nothing of the memory of the process. */
export function readExe(path: string): string {
  return unlessForbidden(() => programOf(readlinkSync(`${path}/exe`))) ?? "";
}

/** @throws {Error} As the system calls do, unless only the right to look is missing. */
export function readStanding(read: ReadProcFile, path: string): ProgramStanding {
  const cgroup = unlessForbidden(() => read(`${path}/cgroup`, CGROUP_BYTES_MAX).toString("latin1"));
  return { uid: readUid(read, path), unit: cgroup === undefined ? undefined : unitOf(cgroup) };
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

/** The kernel adds a word to the link when the file was unlinked or replaced. */
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
