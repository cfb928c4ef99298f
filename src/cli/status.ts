/**
 * `metald status`: what the agent holds to be true of its VMs, and whether the agent itself is well.
 *
 * It reads a file and asks nobody, so it works while the agent hangs, and after its death.
 * @module
 */

import type { ProcessIdentity } from "../domain/process.ts";
import { VM_ID_PATTERN, type VmId } from "../domain/vm_record.ts";
import { escapeUnprintable } from "../observability/printable.ts";
import type { HostStatus } from "../ports/status_board.ts";
import { EXIT_CODE, type ExitCode } from "./exit_code.ts";
import type { Output } from "./output.ts";
import { type AgentCondition, needsAttention, statusText } from "./status_text.ts";

/** The agent writes the file at least once a minute. */
const OLD_MS = 150_000;

export type StatusSource =
  | { readonly kind: "read"; readonly status: HostStatus; readonly agent: ProcessIdentity | undefined }
  | { readonly kind: "absent"; readonly path: string }
  | { readonly kind: "unreadable"; readonly error: string };

export interface StatusOptions {
  /** Undefined: all of them. */
  readonly vmId: VmId | undefined;
  readonly json: boolean;
  readonly read: () => Promise<StatusSource>;
  readonly isAlive: (agent: ProcessIdentity) => Promise<boolean>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly output: Output;
}

/**
 * @returns 0 all is well; 1 a VM is not as it is wanted, or the agent cannot see to it; 3 the agent does not run; 4 there is
 * no status or no such VM. As `systemctl status`.
 */
export async function showStatus({ vmId, json, read, isAlive, now, output }: StatusOptions): Promise<ExitCode> {
  if (vmId !== undefined && !VM_ID_PATTERN.test(vmId)) {
    output.complain(
      `Cannot show the VM as its id must match ${VM_ID_PATTERN}: current value is ${JSON.stringify(vmId)}`,
    );
    return EXIT_CODE.usage;
  }
  const source = await read();
  if (source.kind === "unreadable") {
    output.complain(source.error);
    return EXIT_CODE.unknownStatus;
  }
  if (source.kind === "absent") {
    const reasons = "the agent does not run, or has another state_dir, or cannot write there, as its log then says";
    output.complain(`there is no ${source.path}: ${reasons}`);
    return EXIT_CODE.notRunning;
  }
  const { agent } = source;
  const ageMs = Math.max(0, now() - source.status.at);
  const running = agent === undefined ? ageMs < OLD_MS : await isAlive(agent);
  const condition: AgentCondition = running ? (ageMs < OLD_MS ? "running" : "silent") : "ended";
  const status = vmId === undefined ? source.status : ofOneVm(source.status, vmId);
  if (vmId !== undefined && status.vms.length === 0 && status.refusedRecords.count === 0) {
    output.complain(`Cannot show ${vmId} as the agent must know it: there is no such VM`);
    return EXIT_CODE.unknownStatus;
  }
  output.print(
    json
      ? `${jsonLines({ condition, agent, ...status })
          .map(escapeUnprintable)
          .join("\n")}\n`
      : statusText({ status, agent, condition, now: now() }),
  );
  if (condition === "ended") return EXIT_CODE.notRunning;
  return condition === "silent" || needsAttention(status) ? EXIT_CODE.failed : EXIT_CODE.ok;
}

function ofOneVm(status: HostStatus, vmId: VmId): HostStatus {
  const refused = status.refusedRecords.first.filter(({ id }) => id === vmId);
  const unmatched = status.unmatchedHolds.first.filter((hold) => hold.vmId === vmId);
  return {
    ...status,
    vms: status.vms.filter(({ id }) => id === vmId),
    refusedRecords: { count: refused.length, first: refused },
    unmatchedHolds: { count: unmatched.length, first: unmatched },
  };
}

/** What is said by records, guests and VMMs may move a terminal's cursor in JSON as well. */
function jsonLines(value: object): readonly string[] {
  return JSON.stringify(value, undefined, 2).split("\n");
}
