/**
 * Decides to which VM each process of a host belongs.
 *
 * - *Owned*: in the VM's unit, or marked with its id in the environment and run by root, by us or by the record's user.
 * - *Main*: the one of them that is the VMM. Liveness is judged by it; fencing covers all owned.
 * - A VM that somebody else launched has no mark: its main is a VMM executable, run by root or the record's user, whose
 *   socket argument is the record's.
 * - *Look-alike*: resembles the VM by name, id or socket and is none of the above. It blocks a start; it is never signalled.
 * - *Stray*: a VMM of no record.
 *
 * Pure: facts and records in, attribution out.
 * @module
 */

import type { ProcessFacts } from "../domain/process.ts";
import type { VmId, VmRecord } from "../domain/vm_record.ts";
import { vmmOf } from "../domain/vmm.ts";

export interface VmProcesses {
  /** More than one: nobody can tell which is right, so none is touched. */
  readonly mains: readonly ProcessFacts[];
  /** All that fencing covers, the main among them if it is owned. */
  readonly owned: readonly ProcessFacts[];
  readonly lookalikes: readonly ProcessFacts[];
}

export interface Attribution {
  readonly of: ReadonlyMap<VmId, VmProcesses>;
  readonly strays: readonly ProcessFacts[];
}

/** Whose processes may be a VM's, beside root's. */
export interface Users {
  /** The agent's own. */
  readonly uid: number;
  readonly uidOf: (user: string) => number | undefined;
}

export const NO_PROCESSES: VmProcesses = { mains: [], owned: [], lookalikes: [] };

export function attribute(records: Iterable<VmRecord>, processes: readonly ProcessFacts[], users: Users): Attribution {
  const byId = new Map<VmId, VmRecord>();
  const bySocket = new Map<string, VmRecord[]>();
  const byUnit = new Map<string, VmRecord>();
  for (const record of records) {
    byId.set(record.id, record);
    byUnit.set(unitOf(record), record);
    if (record.socket === undefined) continue;
    const sharing = bySocket.get(record.socket);
    if (sharing === undefined) bySocket.set(record.socket, [record]);
    else sharing.push(record);
  }

  const owned = new Map<VmId, ProcessFacts[]>();
  const foreign = new Map<VmId, ProcessFacts[]>();
  const lookalikes = new Map<VmId, ProcessFacts[]>();
  const strays: ProcessFacts[] = [];
  for (const facts of processes) {
    const unitRecord = facts.unit === undefined ? undefined : byUnit.get(facts.unit);
    if (unitRecord !== undefined) {
      append(owned, unitRecord.id, facts);
      continue;
    }
    const marked = facts.vmId === undefined ? undefined : byId.get(facts.vmId);
    if (marked !== undefined) {
      append(mayRun(facts, marked, users) ? owned : lookalikes, marked.id, facts);
      continue;
    }
    if (vmmOf(facts.exe) === undefined) continue;
    const named = new Set<VmId>();
    // Launched for a VM whose record is gone, or has another name now: whoever has its socket is another VM.
    const isOfAnother = facts.vmId !== undefined || (facts.unit !== undefined && OWN_UNIT.test(facts.unit));
    for (const record of socketRecords(facts, bySocket)) {
      append(!isOfAnother && mayRunForeign(facts, record, users) ? foreign : lookalikes, record.id, facts);
      named.add(record.id);
    }
    for (const id of namesIn(facts.argv)) {
      if (!byId.has(id) || named.has(id)) continue;
      append(lookalikes, id, facts);
      named.add(id);
    }
    if (named.size === 0) strays.push(facts);
  }

  const of = new Map<VmId, VmProcesses>();
  for (const record of byId.values()) {
    const ownedHere = owned.get(record.id);
    const foreignHere = foreign.get(record.id);
    const lookalikesHere = lookalikes.get(record.id);
    if (ownedHere === undefined && foreignHere === undefined && lookalikesHere === undefined) continue;
    of.set(record.id, {
      mains: [...mainsAmong(record, ownedHere ?? []), ...deepest(foreignHere ?? [])],
      owned: ownedHere ?? [],
      lookalikes: lookalikesHere ?? [],
    });
  }
  return { of, strays };
}

/** The first socket path that stands in a command line as a value of its own, for a person. */
export function socketArgument(argv: readonly string[]): string | undefined {
  for (const argument of argv) {
    for (const path of pathsIn(argument)) if (/\.sock(et)?$/.test(path)) return path;
  }
  return undefined;
}

const OWN_UNIT = /^metald-vm-.+\.service$/;

/** The systemd unit in which a VM runs. */
export function unitOf(record: VmRecord): string {
  return record.launch?.kind === "unit" ? record.launch.unit : `metald-vm-${record.id}.service`;
}

/**
 * The mains among owned processes: those that name the socket; where none does (a relative path, a jail), those that are VMMs; where
 * none is (a wrapper, a `process` VM), the roots. Ending a living VMM as a left-over is worse than calling a helper the main.
 */
function mainsAmong(record: VmRecord, owned: readonly ProcessFacts[]): readonly ProcessFacts[] {
  if (owned.length === 0) return owned;
  if (record.vmm !== "process") {
    const { socket } = record;
    const naming = socket === undefined ? [] : owned.filter((facts) => namesPath(facts.argv, socket));
    if (naming.length > 0) return deepest(naming);
    const vmms = owned.filter((facts) => vmmOf(facts.exe) !== undefined);
    if (vmms.length > 0) return deepest(vmms);
  }
  const pids = new Set(owned.map((facts) => facts.identity.pid));
  return owned.filter((facts) => !pids.has(facts.parentPid) && !isRemnant(facts));
}

/** A descendant that outlived the main it came from: we start every main as the leader of its own session. */
function isRemnant(facts: ProcessFacts): boolean {
  return facts.incarnation !== undefined && facts.sessionId !== facts.identity.pid;
}

/**
 * Whether a process is left over from a launch whose main is dead: a wrapper, a helper. A living VMM never is, since then another
 * process was taken for the main.
 */
export function isLeftOver(facts: ProcessFacts, deadIncarnation: number | undefined): boolean {
  return deadIncarnation !== undefined && facts.incarnation === deadIncarnation && vmmOf(facts.exe) === undefined;
}

/** Those that are no ancestor of another: a shell that wraps a VMM names the socket as the VMM does. */
function deepest(processes: readonly ProcessFacts[]): readonly ProcessFacts[] {
  if (processes.length < 2) return processes;
  const parents = new Map(processes.map((facts) => [facts.identity.pid, facts.parentPid]));
  const ancestors = new Set<number>();
  for (const facts of processes) {
    let pid = facts.parentPid;
    while (parents.has(pid) && !ancestors.has(pid)) {
      ancestors.add(pid);
      pid = parents.get(pid) ?? 0;
    }
  }
  return processes.filter((facts) => !ancestors.has(facts.identity.pid));
}

function mayRun(facts: ProcessFacts, record: VmRecord, users: Users): boolean {
  return facts.uid === users.uid || mayRunForeign(facts, record, users);
}

function mayRunForeign(facts: ProcessFacts, record: VmRecord, users: Users): boolean {
  return facts.uid === 0 || facts.uid === recordUid(record, users);
}

function recordUid(record: VmRecord, users: Users): number | undefined {
  const user = record.launch?.kind === "argv" ? record.launch.user : undefined;
  return user === undefined ? users.uid : users.uidOf(user);
}

function* socketRecords(facts: ProcessFacts, bySocket: ReadonlyMap<string, VmRecord[]>): Iterable<VmRecord> {
  const seen = new Set<VmRecord>();
  for (const argument of facts.argv) {
    for (const path of pathsIn(argument)) {
      for (const record of bySocket.get(path) ?? []) {
        if (seen.has(record)) continue;
        seen.add(record);
        yield record;
      }
    }
  }
}

function namesPath(argv: readonly string[], path: string): boolean {
  for (const argument of argv) {
    if (!argument.includes(path)) continue;
    for (const candidate of pathsIn(argument)) if (candidate === path) return true;
    // A shell's -c argument holds whole command lines.
    for (const word of argument.split(/[\s'"]+/)) {
      for (const candidate of pathsIn(word)) if (candidate === path) return true;
    }
  }
  return false;
}

/**
 * A longer path is no socket's: https://man7.org/linux/man-pages/man7/unix.7.html. Without this bound the readings of an argument grow
 * with the square of its length, and anybody may start a process with a long argument.
 */
const SOCKET_PATH_BYTES_MAX = 107;

/**
 * The absolute paths that may be meant by one argument: `/a`, `--api-sock=/a`, `unix:/a,server=on`, `socket,path=/a,id=q`. A path may
 * itself contain the separators, so every reading is given.
 */
function* pathsIn(argument: string): Iterable<string> {
  for (let start = argument.indexOf("/"); start >= 0; start = argument.indexOf("/", start + 1)) {
    if (start > 0 && !"=:,".includes(argument[start - 1] ?? "")) continue;
    const longest = argument.slice(start, start + SOCKET_PATH_BYTES_MAX + 1);
    if (longest.length <= SOCKET_PATH_BYTES_MAX) yield longest;
    for (let end = longest.indexOf(","); end >= 0; end = longest.indexOf(",", end + 1)) yield longest.slice(0, end);
  }
}

/** What a command line calls its VM: Firecracker's `--id`, QEMU's `-name`. */
function* namesIn(argv: readonly string[]): Iterable<string> {
  for (const [index, argument] of argv.entries()) {
    if (argument.startsWith("--id=")) yield argument.slice("--id=".length);
    const previous = argv[index - 1];
    if (previous === "--id") yield argument;
    if (previous === "-name" || previous === "--name") {
      for (const part of argument.split(",")) {
        if (part.startsWith("guest=")) yield part.slice("guest=".length);
        else if (!part.includes("=")) yield part;
      }
    }
  }
}

function append(map: Map<VmId, ProcessFacts[]>, id: VmId, facts: ProcessFacts): void {
  const list = map.get(id);
  if (list === undefined) map.set(id, [facts]);
  else list.push(facts);
}
