/**
 * The environment of what we start. It is made anew and never inherited: the agent's own holds the secrets of its
 * telemetry and the switches of its service manager, and a VM must start the same whoever starts it.
 * @module
 */

import { INCARNATION_VARIABLE, LAUNCH_HASH_VARIABLE, VM_ID_VARIABLE } from "../../domain/process.ts";
import type { VmRecord } from "../../domain/vm_record.ts";
import type { User } from "./user.ts";

/** Marks the processes of a hook, which are not the VM's. */
export const HOOK_VM_VARIABLE = "METALD_HOOK_VM";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function baseEnvironment(user: User | undefined): Record<string, string> {
  return {
    PATH,
    LANG: "C.UTF-8",
    HOME: user?.home ?? "/",
    ...(user === undefined ? {} : { USER: user.name, LOGNAME: user.name }),
  };
}

/** The marks come last, as a record may not claim another VM's. */
export function launchEnvironment(
  record: VmRecord,
  env: Readonly<Record<string, string>>,
  incarnation: number,
  user: User | undefined,
): Record<string, string> {
  return {
    ...baseEnvironment(user),
    ...env,
    [VM_ID_VARIABLE]: record.id,
    [LAUNCH_HASH_VARIABLE]: record.launchHash,
    [INCARNATION_VARIABLE]: String(incarnation),
  };
}
