/**
 * Which processes are a VM's: section 4 of the specification, written down a second time.
 *
 * The core has its own; that the two were written apart is what makes a check of one by the other worth anything.
 * @module
 */

import type { VmRecord } from "../../src/domain/vm_record.ts";
import { isLiving, type SimProcess, type SimProcesses } from "./sim_process.ts";

export const AGENT_UID = 0;
export const USER_UID = 1001;
export const STRANGER_UID = 2002;

export function uidOf(user: string): number | undefined {
  if (user === "root") return 0;
  return user === "kvm1" ? USER_UID : undefined;
}

export function isPermittedUid(record: VmRecord, uid: number): boolean {
  if (uid === 0 || uid === AGENT_UID) return true;
  const user = record.launch?.kind === "argv" ? record.launch.user : undefined;
  return user !== undefined && uidOf(user) === uid;
}

export function isOwned(process: SimProcess, record: VmRecord): boolean {
  return process.vmId === record.id && isPermittedUid(record, process.uid);
}

function isVmmProgram(exe: string): boolean {
  return exe === "firecracker" || exe === "cloud-hypervisor" || exe.startsWith("qemu-system-");
}

function namesSocket(process: SimProcess, record: VmRecord): boolean {
  return record.socket !== undefined && process.argv.includes(record.socket);
}

/** The living main processes, the deepest that name the socket: one, or none, or the several of a duplicate. */
export function mainsOf(processes: SimProcesses, record: VmRecord): SimProcess[] {
  const candidates: SimProcess[] = [];
  for (const process of processes.living()) {
    if (process.hasStartedVmm) continue;
    const owned = isOwned(process, record);
    if (record.vmm === "process") {
      if (!owned) continue;
      const parent = processes.byPid(process.parentPid);
      if (parent === undefined || !isLiving(parent) || !isOwned(parent, record)) candidates.push(process);
    } else if (namesSocket(process, record)) {
      const isForeign = isVmmProgram(process.exe) && isPermittedUid(record, process.uid) && process.vmId === undefined;
      if (owned || isForeign) candidates.push(process);
    }
  }
  if (record.vmm === "process") return candidates;
  return candidates.filter((process) => !candidates.some((other) => other.parentPid === process.identity.pid));
}

/** Living processes that resemble the VM's without being it: another user's with its mark or its socket. */
export function lookalikesOf(processes: SimProcesses, record: VmRecord): SimProcess[] {
  const found: SimProcess[] = [];
  for (const process of processes.living()) {
    if (isPermittedUid(record, process.uid)) continue;
    if (process.vmId === record.id || (isVmmProgram(process.exe) && namesSocket(process, record))) found.push(process);
  }
  return found;
}
