/**
 * The environment of what we start. It is made anew and never inherited: the agent's own holds the secrets of its
 * telemetry and the switches of its service manager, and a VM must start the same whoever starts it.
 *
 * What a record adds is for the VMM alone. Beside it root runs programs: `setpriv`, which becomes the VM's user, and
 * the command by which a unit asks the guest to shut down. `LD_PRELOAD` or `LD_LIBRARY_PATH` of a record would make
 * them run what the VM's user has put there. So the record's variables are arguments of `env`, which only that user
 * runs.
 * @module
 */

import { INCARNATION_VARIABLE, LAUNCH_HASH_VARIABLE, VM_ID_VARIABLE } from "../../domain/process.ts";
import type { ArgvLaunch, VmRecord } from "../../domain/vm_record.ts";
import type { User } from "./user.ts";

/** Marks the processes of a hook, which are not the VM's. */
export const HOOK_VM_VARIABLE = "METALD_HOOK_VM";

const MARKS: readonly string[] = [VM_ID_VARIABLE, LAUNCH_HASH_VARIABLE, INCARNATION_VARIABLE];

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function baseEnvironment(user: User | undefined): Record<string, string> {
  return {
    PATH,
    LANG: "C.UTF-8",
    HOME: user?.home ?? "/",
    ...(user === undefined ? {} : { USER: user.name, LOGNAME: user.name }),
  };
}

export function launchEnvironment(
  record: VmRecord,
  incarnation: number,
  user: User | undefined,
): Record<string, string> {
  return {
    ...baseEnvironment(user),
    [VM_ID_VARIABLE]: record.id,
    [LAUNCH_HASH_VARIABLE]: record.launchHash,
    [INCARNATION_VARIABLE]: String(incarnation),
  };
}

/** The command that runs a record's program with the record's variables. A record may not claim another VM's marks. */
export function withOwnVariables({ argv, env }: ArgvLaunch): readonly string[] {
  const assignments = Object.entries(env).filter(([name]) => !MARKS.includes(name));
  if (assignments.length === 0) return argv;
  return ["/usr/bin/env", ...assignments.map(([name, value]) => `${name}=${value}`), ...argv];
}
