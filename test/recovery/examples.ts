/**
 * Records, processes and numbers from which the tests of the rules build their cases.
 * @module
 */

import type { HealthPolicy } from "../../src/domain/policy.ts";
import type { ProcessFacts, ProcessIdentity } from "../../src/domain/process.ts";
import type { ArgvLaunch, VmRecord, VmRecoveryPolicy } from "../../src/domain/vm_record.ts";

export const BOOT_ID = "boot-1";

export const HEALTH: HealthPolicy = {
  enabled: true,
  intervalMs: 30_000,
  suspectIntervalMs: 5_000,
  timeoutMs: 5_000,
  failureThreshold: 3,
  recoveryThreshold: 2,
  startGraceMs: 30_000,
};

/** The defaults, but without jitter: a story tells exact instants. */
export const RECOVERY: VmRecoveryPolicy = {
  enabled: true,
  maxRetries: 3,
  retryIntervalMs: 10_000,
  backoffFactor: 2,
  maxRetryIntervalMs: 300_000,
  jitter: 0,
  recoveryTimeoutMs: 600_000,
  startTimeoutMs: 30_000,
  shutdownTimeoutMs: 90_000,
  stableAfterMs: 300_000,
  rearmIntervalMs: 300_000,
  allowDataLoss: false,
};

export const LAUNCH: ArgvLaunch = {
  kind: "argv",
  argv: ["/usr/bin/firecracker", "--id", "vm-1", "--api-sock", "/run/vms/vm-1.sock"],
  env: {},
  cwd: "/",
  user: undefined,
  cleanup: [],
  beforeStart: [],
  afterStop: [],
  hookTimeoutMs: 10_000,
};

const RECORD: VmRecord = {
  id: "vm-1",
  desired: "running",
  vmm: "firecracker",
  socket: "/run/vms/vm-1.sock",
  launch: LAUNCH,
  disks: [],
  priority: 0,
  restart: "always",
  stop: "ask",
  guest: {},
  healthCheck: {},
  recovery: {},
  contentHash: "content-1",
  launchHash: "launch-1",
};

/** A Firecracker that should run, changed as told. Its socket follows its id unless that is told too. */
export function recordOf(change: Partial<VmRecord> = {}): VmRecord {
  const id = change.id ?? RECORD.id;
  const socket = RECORD.socket === undefined ? undefined : `/run/vms/${id}.sock`;
  return { ...RECORD, id, socket, ...change };
}

export function identityOf(pid: number): ProcessIdentity {
  return { bootId: BOOT_ID, pid, startTicks: pid * 100 };
}

/** A process of root without a mark, changed as told. */
export function factsOf(pid: number, change: Partial<ProcessFacts> = {}): ProcessFacts {
  return {
    identity: identityOf(pid),
    parentPid: 1,
    sessionId: pid,
    uid: 0,
    state: "S",
    liveTasks: 1,
    ageMs: 60_000,
    exe: "firecracker",
    argv: ["/usr/bin/firecracker"],
    unit: undefined,
    vmId: undefined,
    launchHash: undefined,
    incarnation: undefined,
    ...change,
  };
}
