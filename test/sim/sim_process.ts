/**
 * The process table of the simulated host.
 *
 * Pids come from a small space, so that they are soon used again; start ticks count up. A dead process leaves the table at
 * once or, as on a real host, a little later (Z without tasks).
 * @module
 */

import { isDead, type ProcessFacts, type ProcessIdentity, type ProcessState } from "../../src/domain/process.ts";
import type { VmmInstance } from "./sim_vmm.ts";

/** What a process is for its VM: the VMM, what starts the VMM, what serves the VMM, or nothing of any VM. */
export type ProcessRole = "vmm" | "wrapper" | "helper" | "stranger";

export interface ProcessSpec {
  readonly role: ProcessRole;
  /** The VM of which it really is a part; undefined for a stranger. */
  readonly vm: string | undefined;
  readonly startedBy: "agent" | "foreign";
  readonly uid: number;
  readonly exe: string;
  readonly argv: readonly string[];
  /** `METALD_VM_ID` in its environment. */
  readonly vmId: string | undefined;
  readonly launchHash: string | undefined;
  readonly incarnation: number | undefined;
  readonly unit: string | undefined;
  readonly parentPid: number;
  /** Wanted pid, for reuse; taken when free. */
  readonly pid?: number;
}

export interface SimProcess extends Omit<ProcessSpec, "pid"> {
  readonly identity: ProcessIdentity;
  readonly key: string;
  readonly startedAt: number;
  parentPid: number;
  sessionId: number;
  state: ProcessState;
  liveTasks: number;
  diedAt: number | undefined;
  /** A SIGKILL that waits until the process leaves state D. */
  isKillPending: boolean;
  /** Paths that it holds open for writing, with the instant of opening. */
  readonly openDisks: Map<string, number>;
  instance: VmmInstance | undefined;
  /** A wrapper whose VMM has begun: once that is dead, the wrapper is what is left of it. */
  hasStartedVmm: boolean;
  /** When the agent's SIGTERM arrived first. */
  terminatedAt: number | undefined;
  /** When its guest was asked to shut down first, by the agent. */
  askedAt: number | undefined;
}

const PID_FIRST = 300;
const PID_COUNT = 64;

export class SimProcesses {
  readonly #byPid = new Map<number, SimProcess>();
  readonly #byKey = new Map<string, SimProcess>();
  #nextPid = PID_FIRST;
  bootId: string;
  bootedAt: number;

  constructor(bootId: string, bootedAt: number) {
    this.bootId = bootId;
    this.bootedAt = bootedAt;
  }

  spawn(spec: ProcessSpec, nowMs: number, ticks: number): SimProcess {
    const { pid: wanted, ...rest } = spec;
    const pid = wanted !== undefined && !this.#byPid.has(wanted) ? wanted : this.#freePid();
    const identity: ProcessIdentity = { bootId: this.bootId, pid, startTicks: ticks };
    const process: SimProcess = {
      ...rest,
      identity,
      key: keyOf(identity),
      startedAt: nowMs,
      sessionId: this.#byPid.get(spec.parentPid)?.sessionId ?? pid,
      state: "S",
      liveTasks: 4,
      diedAt: undefined,
      isKillPending: false,
      openDisks: new Map(),
      instance: undefined,
      hasStartedVmm: false,
      terminatedAt: undefined,
      askedAt: undefined,
    };
    this.#byPid.set(pid, process);
    this.#byKey.set(process.key, process);
    return process;
  }

  /** The process of that identity that has a row in the table, dead or alive. */
  get(identity: ProcessIdentity): SimProcess | undefined {
    const process = this.#byPid.get(identity.pid);
    if (process === undefined || process.identity.startTicks !== identity.startTicks) return undefined;
    return identity.bootId === this.bootId ? process : undefined;
  }

  /** Any process that ever was in this world. */
  past(identity: ProcessIdentity): SimProcess | undefined {
    return this.#byKey.get(keyOf(identity));
  }

  /** Whether the process of that key was begun by this one, in its session. */
  startedBy(parent: SimProcess, childKey: string | undefined): boolean {
    const child = childKey === undefined ? undefined : this.#byKey.get(childKey);
    return child !== undefined && parent.hasStartedVmm && child.sessionId === parent.identity.pid;
  }

  byPid(pid: number): SimProcess | undefined {
    return this.#byPid.get(pid);
  }

  /** Takes the row of a dead process away, which frees its pid. */
  reap(process: SimProcess): void {
    if (this.#byPid.get(process.identity.pid) === process) this.#byPid.delete(process.identity.pid);
  }

  /** All rows, in order of pid allocation. */
  rows(): IterableIterator<SimProcess> {
    return this.#byPid.values();
  }

  *living(): IterableIterator<SimProcess> {
    for (const process of this.#byPid.values()) if (isLiving(process)) yield process;
  }

  clear(): void {
    this.#byPid.clear();
  }

  #freePid(): number {
    for (let tries = 0; tries < PID_COUNT; tries++) {
      const pid = this.#nextPid;
      this.#nextPid = pid + 1 >= PID_FIRST + PID_COUNT ? PID_FIRST : pid + 1;
      if (!this.#byPid.has(pid)) return pid;
    }
    // More processes than the small space holds: grow past it rather than fail.
    let pid = PID_FIRST + PID_COUNT;
    while (this.#byPid.has(pid)) pid++;
    return pid;
  }
}

export function keyOf(identity: ProcessIdentity): string {
  return `${identity.bootId}/${identity.pid}/${identity.startTicks}`;
}

export function isLiving(process: SimProcess): boolean {
  return process.diedAt === undefined && !isDead(process.state, process.liveTasks);
}

export function factsOf(process: SimProcess, nowMs: number): ProcessFacts {
  return {
    identity: process.identity,
    parentPid: process.parentPid,
    sessionId: process.sessionId,
    uid: process.uid,
    state: process.state,
    liveTasks: process.liveTasks,
    ageMs: nowMs - process.startedAt,
    exe: process.exe,
    argv: process.argv,
    unit: process.unit,
    vmId: process.vmId,
    launchHash: process.launchHash,
    incarnation: process.incarnation,
  };
}
