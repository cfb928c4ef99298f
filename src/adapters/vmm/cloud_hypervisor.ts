/**
 * Cloud Hypervisor, by its API:
 * https://github.com/cloud-hypervisor/cloud-hypervisor/blob/main/vmm/src/api/openapi/cloud-hypervisor.yaml
 *
 * It has no id, so `vmm.ping` is asked first: its pid says whether the VMM behind the socket is the one that is watched.
 * @module
 */

import { z } from "zod";
import type { GuestState } from "../../domain/vmm.ts";
import type { ShutdownRequest, VmmAnswer } from "../../ports/vmm.ts";
import { apiAnswer, shutdownRequest } from "./api_answer.ts";
import { deadlineIn, type Ending } from "./conversation.ts";
import type { HttpReply } from "./http_response.ts";
import { requestOverUnixSocket } from "./unix_http.ts";

/** `VmmPingResponse`; old versions have no pid. */
const PING = z.object({ version: z.string(), pid: z.number().int().optional() });
/** `VmInfo`. */
const INFO = z.object({ state: z.string() });

const PING_PATH = "/api/v1/vmm.ping";
const INFO_PATH = "/api/v1/vm.info";
const POWER_BUTTON_PATH = "/api/v1/vm.power-button";

const GUEST_STATES: ReadonlyMap<string, GuestState> = new Map([
  ["Created", "not_started"],
  ["Running", "running"],
  ["Shutdown", "shut_down"],
  ["Paused", "paused"],
  ["BreakPoint", "paused"],
]);

export async function queryCloudHypervisor(socketPath: string, timeoutMs: number): Promise<VmmAnswer> {
  const deadlineAt = deadlineIn(timeoutMs);
  const pinged = await requestOverUnixSocket(socketPath, { method: "GET", path: PING_PATH }, deadlineAt);
  const ping = apiAnswer(pinged, "GET vmm.ping", PING);
  if (ping.kind !== "value") return ping;
  const { pid } = ping.value;
  const asked = await requestOverUnixSocket(socketPath, { method: "GET", path: INFO_PATH }, deadlineAt);
  if (saysNoVmCreated(asked)) return { kind: "state", guest: "not_started", raw: "no VM created", id: undefined, pid };
  const info = apiAnswer(asked, "GET vm.info", INFO);
  if (info.kind === "silent") return { kind: "wrong", error: `${info.error}, though vmm.ping was answered` };
  if (info.kind !== "value") return info;
  const { state } = info.value;
  return { kind: "state", guest: GUEST_STATES.get(state) ?? "busy", raw: state, id: undefined, pid };
}

export async function shutdownCloudHypervisor(socketPath: string, timeoutMs: number): Promise<ShutdownRequest> {
  const request = { method: "PUT", path: POWER_BUTTON_PATH } as const;
  return shutdownRequest(
    await requestOverUnixSocket(socketPath, request, deadlineIn(timeoutMs)),
    "PUT vm.power-button",
  );
}

/** A VMM without a VM answers `vm.info` with an error: 404 or, in old versions, 500. Its text names the cause. */
function saysNoVmCreated(ending: Ending<HttpReply>): boolean {
  if (ending.kind !== "completed" || ending.value.kind !== "response") return false;
  const { status, body } = ending.value;
  return (status === 404 || status === 500) && /VM is not created|VmNotCreated/i.test(body);
}
