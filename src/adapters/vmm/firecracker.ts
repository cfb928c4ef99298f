/**
 * Firecracker, by its API: https://github.com/firecracker-microvm/firecracker/blob/main/src/firecracker/swagger/firecracker.yaml
 *
 * The API serves few connections at once and answers nothing during a snapshot, so one question is one request.
 * @module
 */

import { z } from "zod";
import type { GuestState } from "../../domain/vmm.ts";
import type { ShutdownRequest, VmmAnswer } from "../../ports/vmm.ts";
import { apiAnswer, shutdownRequest } from "./api_answer.ts";
import { deadlineIn } from "./conversation.ts";
import { requestOverUnixSocket } from "./unix_http.ts";

/** `InstanceInfo` of the API. */
const INSTANCE = z.object({ id: z.string(), state: z.string() });

const GUEST_STATES: ReadonlyMap<string, GuestState> = new Map([
  ["Not started", "not_started"],
  ["Running", "running"],
  ["Paused", "paused"],
]);

export async function queryFirecracker(socketPath: string, timeoutMs: number): Promise<VmmAnswer> {
  const request = { method: "GET", path: "/" } as const;
  const ending = await requestOverUnixSocket(socketPath, request, deadlineIn(timeoutMs));
  const answer = apiAnswer(ending, "GET /", INSTANCE);
  if (answer.kind !== "value") return answer;
  const { id, state } = answer.value;
  return { kind: "state", guest: GUEST_STATES.get(state) ?? "busy", raw: state, id, pid: undefined };
}

/** Ctrl-Alt-Del ends a guest whose kernel has a keyboard driver and reboots on it; elsewhere (aarch64) it is refused. */
export async function shutdownFirecracker(socketPath: string, timeoutMs: number): Promise<ShutdownRequest> {
  const body = JSON.stringify({ action_type: "SendCtrlAltDel" });
  const request = { method: "PUT", path: "/actions", body } as const;
  const ending = await requestOverUnixSocket(socketPath, request, deadlineIn(timeoutMs));
  return shutdownRequest(ending, "PUT /actions SendCtrlAltDel");
}
