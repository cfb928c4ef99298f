/**
 * Records of VMs that are plain programs, for tests of launchers.
 * @module
 */

import type { ArgvLaunch, VmRecord } from "../../../src/domain/vm_record.ts";

/** @param launch what differs from a program that runs as the agent's own user in `/` */
export function processRecord(id: string, argv: readonly string[], launch: Partial<ArgvLaunch> = {}): VmRecord {
  return {
    id,
    desired: "running",
    vmm: "process",
    socket: undefined,
    launch: {
      kind: "argv",
      argv,
      env: {},
      cwd: "/",
      user: undefined,
      cleanup: [],
      beforeStart: [],
      afterStop: [],
      hookTimeoutMs: 10_000,
      ...launch,
    },
    disks: [],
    priority: 0,
    restart: "always",
    stop: "ask",
    guest: {},
    healthCheck: {},
    recovery: {},
    contentHash: "c0ffee",
    launchHash: "0123abcd",
  };
}
