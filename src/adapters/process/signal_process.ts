/**
 * Signals one process and never another that took over its pid.
 *
 * A pidfd stays with the process it was opened for: once the identity, read after the opening, is right, the signal
 * cannot go astray. Without pidfds the identity is read immediately before the signal, which leaves the microseconds in
 * between.
 * @module
 */

import { constants } from "node:os";
import type { ProcessIdentity } from "../../domain/process.ts";
import type { Inspection, SignalOutcome } from "../../ports/process_table.ts";
import type { Pidfds } from "./pidfd.ts";
import { errorCode } from "./proc_file.ts";

export interface Signalling {
  readonly pidfds: Pidfds | undefined;
  readonly inspect: (identity: ProcessIdentity) => Inspection;
}

export function signalProcess(
  { pidfds, inspect }: Signalling,
  identity: ProcessIdentity,
  signal: "SIGTERM" | "SIGKILL",
): SignalOutcome {
  const { pid } = identity;
  // To the kernel 0 and negative pids are groups of processes.
  if (!Number.isSafeInteger(pid) || pid <= 1 || pid === process.pid) {
    return { kind: "unknown", error: `Cannot signal as the pid must be another process's: current value is ${pid}` };
  }
  const pidfd = pidfds?.open(pid);
  try {
    const inspection = inspect(identity);
    if (inspection.kind === "dead") return { kind: "gone" };
    if (inspection.kind === "unknown") return inspection;
    if (pidfds !== undefined && pidfd !== undefined && pidfds.signal(pidfd, constants.signals[signal])) {
      return { kind: "sent" };
    }
    // The handle does not tell why it failed; a plain signal does.
    return inspect(identity).kind === "dead" ? { kind: "gone" } : signalPid(pid, signal);
  } finally {
    if (pidfd !== undefined) pidfds?.close(pidfd);
  }
}

function signalPid(pid: number, signal: "SIGTERM" | "SIGKILL"): SignalOutcome {
  try {
    process.kill(pid, signal);
    return { kind: "sent" };
  } catch (error) {
    const code = errorCode(error);
    if (code === "ESRCH") return { kind: "gone" };
    if (code === "EPERM") return { kind: "no_permission" };
    return { kind: "unknown", error: `Cannot signal process ${pid}: ${code ?? String(error)}` };
  }
}
