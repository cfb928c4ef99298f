/**
 * QEMU, by a monitor socket of the agent's own.
 *
 * QEMU serves one client of a monitor at a time. A second one is connected by the kernel and then waits unheard, exactly
 * as if QEMU hung, so the error says that both are possible.
 * @module
 */

import { z } from "zod";
import type { GuestState } from "../../domain/vmm.ts";
import type { ShutdownRequest, VmmAnswer } from "../../ports/vmm.ts";
import { deadlineIn, type Ending } from "./conversation.ts";
import { printable } from "./printable.ts";
import { executeQmp, type QmpReply } from "./qmp.ts";
import { type Unanswered, unanswered } from "./unanswered.ts";

/** `StatusInfo`: https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html */
const STATUS = z.object({ status: z.string() });

/**
 * `RunState`, as far as it says something about the guest; any other word is `busy`. A `suspended` guest sleeps (S3) by
 * its own wish and keeps its memory: like a paused one it needs somebody to wake it, not a restart. `watchdog` is a
 * guest that its watchdog stopped, on the operator's `-action watchdog=pause`.
 */
const GUEST_STATES: ReadonlyMap<string, GuestState> = new Map([
  ["running", "running"],
  ["prelaunch", "not_started"],
  ["shutdown", "shut_down"],
  ["guest-panicked", "panicked"],
  ["internal-error", "internal_error"],
  ["paused", "paused"],
  ["debug", "paused"],
  ["suspended", "paused"],
  ["watchdog", "paused"],
  ["io-error", "io_error"],
  ["postmigrate", "migrated"],
]);

export async function queryQemu(socketPath: string, timeoutMs: number): Promise<VmmAnswer> {
  const ending = await executeQmp(socketPath, "query-status", deadlineIn(timeoutMs));
  if (ending.kind !== "completed") return unansweredMonitor(ending, "query-status");
  const reply = ending.value;
  if (reply.kind !== "return") return { kind: "wrong", error: printable(`query-status: ${reply.error}`) };
  const status = STATUS.safeParse(reply.value);
  if (!status.success) return { kind: "wrong", error: printable(`query-status: ${JSON.stringify(reply.value)}`) };
  const raw = status.data.status;
  return { kind: "state", guest: GUEST_STATES.get(raw) ?? "busy", raw, id: undefined, pid: undefined };
}

/** Presses the ACPI power button. QEMU answers at once, whether or not the guest cares. */
export async function shutdownQemu(socketPath: string, timeoutMs: number): Promise<ShutdownRequest> {
  const ending = await executeQmp(socketPath, "system_powerdown", deadlineIn(timeoutMs));
  if (ending.kind !== "completed") {
    return { kind: "not_asked", error: unansweredMonitor(ending, "system_powerdown").error };
  }
  const reply = ending.value;
  if (reply.kind === "return") return { kind: "asked" };
  return { kind: "not_asked", error: printable(`system_powerdown: ${reply.error}`) };
}

function unansweredMonitor(
  ending: Exclude<Ending<QmpReply>, { readonly kind: "completed" }>,
  asked: string,
): Unanswered {
  const answer = unanswered(ending, asked);
  const heldPerhaps = ending.kind === "timed_out" && ending.connected && ending.receivedBytes === 0;
  if (!heldPerhaps) return answer;
  return {
    kind: answer.kind,
    error: `${asked}: no greeting before the deadline (a monitor held by another client looks the same)`,
  };
}
