/**
 * The transient unit in which a VM runs, as arguments of `systemd-run`:
 * https://www.freedesktop.org/software/systemd/man/latest/systemd-run.html
 *
 * - Its own control group and journal; nothing ties it to the life of the agent.
 * - Ordered before `metald.service`, and after network and remote disks: a host that shuts down stops in the opposite
 *   order, so first the agent, then the guest, then what the guest needs.
 * - Stopping it asks the guest by `ExecStop=` and signals only what is left after that. A program without a guest is
 *   asked by SIGTERM.
 * - `RemainAfterExit=`, since a unit that ended well would be unloaded, and its exit code with it.
 * @module
 */

import type { ArgvLaunch, VmRecord } from "../../domain/vm_record.ts";
import { execLine, withoutExpansion } from "../systemd/exec_line.ts";
import { withOwnVariables } from "./launch_environment.ts";

export const VM_SLICE = "metald-vms.slice";
const AGENT_UNIT = "metald.service";
/** Between the end of the guest's time and SIGKILL. */
const STOP_MARGIN_MS = 10_000;

export interface TransientVmUnitOptions {
  readonly environment: Readonly<Record<string, string>>;
  /** How this very program is called, before its sub-command. */
  readonly agentCommand: readonly string[];
  /** The time a guest is given to shut down. */
  readonly shutdownTimeoutMs: number;
}

export function vmUnitName(record: VmRecord): string {
  return `metald-vm-${record.id}.service`;
}

export function transientVmUnit(
  record: VmRecord,
  launch: ArgvLaunch,
  { environment, agentCommand, shutdownTimeoutMs }: TransientVmUnitOptions,
): readonly string[] {
  const properties = [
    `WorkingDirectory=${launch.cwd}`,
    "RemainAfterExit=yes",
    `Before=${AGENT_UNIT}`,
    "After=network.target remote-fs.target",
    `TimeoutStopSec=${shutdownTimeoutMs + STOP_MARGIN_MS}ms`,
    ...(launch.user === undefined ? [] : [`User=${launch.user}`]),
    ...guestShutdown(record, agentCommand, shutdownTimeoutMs),
    ...Object.entries(launch.properties ?? {}).flatMap(([name, values]) => values.map((value) => `${name}=${value}`)),
  ];
  return [
    `--unit=${vmUnitName(record)}`,
    `--slice=${VM_SLICE}`,
    `--description=metald VM ${record.id}`,
    "--service-type=exec",
    ...properties.map((property) => `--property=${property}`),
    ...Object.entries(environment).map(([name, value]) => `--setenv=${name}=${value}`),
    "--",
    ...withOwnVariables(launch).map(withoutExpansion),
  ];
}

/**
 * The socket's path goes without its first slash: a process in the VM's unit whose command line names the VM's socket
 * would be taken for its VMM.
 */
function guestShutdown({ vmm, socket }: VmRecord, agentCommand: readonly string[], timeoutMs: number): string[] {
  if (vmm === "process" || socket === undefined) return [];
  const command = [...agentCommand, "guest-shutdown", vmm, socket.slice(1), String(timeoutMs)];
  // A plus: the sandbox and the user of the VM's unit are not this command's.
  return [`ExecStop=+${execLine(command)}`];
}
