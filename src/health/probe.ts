/**
 * One probe of one VM: the process, then the VMM's API and the guest side by side, under one deadline.
 *
 * Both are asked even when the first fails, since only two independent signals together can permit force.
 * @module
 */

import type { ProbeFailure, ProbeResult } from "../domain/probe_result.ts";
import type { ProcessIdentity } from "../domain/process.ts";
import type { RunsWith } from "../domain/runtime_state.ts";
import { unreachable } from "../domain/unreachable.ts";
import type { GuestProbes, VmId } from "../domain/vm_record.ts";
import { vmmOf } from "../domain/vmm.ts";
import type { Clock } from "../ports/clock.ts";
import type { GuestProbe, GuestProbeResult } from "../ports/guest_probe.ts";
import type { ProcessTable } from "../ports/process_table.ts";
import type { Vmm, VmmAnswer } from "../ports/vmm.ts";

export interface ProbePorts {
  readonly clock: Clock;
  readonly processTable: ProcessTable;
  readonly vmm: Vmm;
  readonly guestProbe: GuestProbe;
}

export interface ProbeSubject {
  readonly id: VmId;
  readonly process: ProcessIdentity;
  readonly runsWith: RunsWith;
  readonly guest: GuestProbes;
  /** False: only the process is looked at (`health_check.enabled`). */
  readonly asksApi: boolean;
  readonly timeoutMs: number;
}

export interface FinishedProbe {
  readonly result: ProbeResult;
  readonly durationMs: number;
}

/** A failure that came this much later than the deadline tells of our own lateness, not of the VM. */
const LATE_MS = 500;

/** The id of a Firecracker that was given none: it can be anybody's. */
const FIRECRACKER_ANONYMOUS = "anonymous-instance";

const NO_ANSWER_NEEDED: VmmAnswer = { kind: "state", guest: "running", raw: "", id: undefined, pid: undefined };

export async function probe(ports: ProbePorts, subject: ProbeSubject): Promise<FinishedProbe> {
  const startedAt = ports.clock.monotonic();
  const result = await look(ports, subject);
  const durationMs = ports.clock.monotonic() - startedAt;
  if (result.kind === "failure" && durationMs > subject.timeoutMs + LATE_MS) {
    const error = `the event loop was ${Math.round(durationMs - subject.timeoutMs)} ms late`;
    return { result: { kind: "unknown", layer: result.layer, error }, durationMs };
  }
  return { result, durationMs };
}

async function look(ports: ProbePorts, subject: ProbeSubject): Promise<ProbeResult> {
  const before = await ports.processTable.inspect(subject.process);
  if (before.kind === "dead" || before.kind === "zombie_leader") return before;
  if (before.kind === "unknown") return { kind: "unknown", layer: "process", error: before.error };
  const { tcp } = subject.guest;
  if (!subject.asksApi || (subject.runsWith.vmm === "process" && tcp === undefined)) return { kind: "success" };
  const [answer, guest] =
    tcp === undefined
      ? [await askVmm(ports, subject), undefined]
      : await Promise.all([askVmm(ports, subject), ports.guestProbe.tcp(tcp, subject.timeoutMs)]);
  if (await isAnsweredByChild(ports, subject, answer)) {
    return { kind: "unknown", layer: "api", error: "the process that is watched only started the VMM that answers" };
  }
  const result = judge(subject, answer, guest, before.state);
  if (result.kind !== "failure") return result;
  // A process that died under the probe is proof, whatever its socket did.
  const afterwards = await ports.processTable.inspect(subject.process);
  return afterwards.kind === "dead" || afterwards.kind === "zombie_leader" ? afterwards : result;
}

/** A wrapper is taken for the VMM until a look at all processes finds the one that it started. That is no stranger. */
async function isAnsweredByChild(ports: ProbePorts, subject: ProbeSubject, answer: VmmAnswer): Promise<boolean> {
  if (answer.kind !== "state" || answer.pid === undefined || answer.pid === subject.process.pid) return false;
  const facts = await ports.processTable.describe(subject.process);
  return facts !== undefined && vmmOf(facts.exe) === undefined;
}

async function askVmm(ports: ProbePorts, { id, runsWith, timeoutMs }: ProbeSubject): Promise<VmmAnswer> {
  const { socket, vmm } = runsWith;
  if (vmm === "process" || socket === undefined) return NO_ANSWER_NEEDED;
  return await ports.vmm.query({ id, vmm, socket }, timeoutMs);
}

function judge(
  subject: ProbeSubject,
  answer: VmmAnswer,
  guest: GuestProbeResult | undefined,
  processState: ProbeFailure["processState"],
): ProbeResult {
  const failedGuestProbes = guest?.kind === "failure" ? (["tcp"] as const) : [];
  const failure = (layer: ProbeFailure["layer"], error: string, apiSilent: boolean): ProbeFailure => ({
    kind: "failure",
    layer,
    error: processState === "T" ? `${error}; its process is stopped (state T)` : error,
    apiSilent,
    failedGuestProbes,
    processState,
  });
  switch (answer.kind) {
    case "silent":
      return failure("socket", answer.error, true);
    case "wrong":
      return failure("api", answer.error, false);
    case "unknown":
      return { kind: "unknown", layer: "api", error: answer.error };
    case "state": {
      const stranger = identityMismatch(subject, answer);
      if (stranger !== undefined) return failure("api", stranger, false);
      if (answer.guest !== "running") return { kind: "guest", state: answer.guest, raw: answer.raw };
      if (guest === undefined || guest.kind === "success") return { kind: "success" };
      if (guest.kind === "unknown") return { kind: "unknown", layer: "guest", error: guest.error };
      return failure("guest", guest.error, false);
    }
    default:
      return unreachable(answer);
  }
}

function identityMismatch(subject: ProbeSubject, answer: Extract<VmmAnswer, { kind: "state" }>): string | undefined {
  if (answer.id !== undefined && answer.id !== subject.id && answer.id !== FIRECRACKER_ANONYMOUS) {
    return `identity: the VMM says its id is ${JSON.stringify(answer.id)}`;
  }
  if (answer.pid !== undefined && answer.pid !== subject.process.pid) {
    return `identity: the VMM says its pid is ${answer.pid}, the VM's is ${subject.process.pid}`;
  }
  return undefined;
}
