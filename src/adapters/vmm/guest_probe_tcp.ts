/**
 * The guest probe that only connects: a guest whose service accepts has a working network, kernel and service.
 *
 * Nothing is sent and nothing is read, as what the service speaks is not the agent's business.
 * @module
 */

import { isIP } from "node:net";
import { unreachable } from "../../domain/unreachable.ts";
import type { TcpGuestProbe } from "../../domain/vm_record.ts";
import type { GuestProbe, GuestProbeResult } from "../../ports/guest_probe.ts";
import { converse, deadlineIn } from "./conversation.ts";
import { printable } from "./printable.ts";
import { CONNECT_ONLY } from "./socket_state.ts";

/** What the network or the guest says; every other code is about this host (EACCES, EADDRNOTAVAIL, a dead resolver). */
const FAILURE_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
]);

export function createGuestProbe(): GuestProbe {
  return { tcp: probeTcp };
}

async function probeTcp({ host, port }: TcpGuestProbe, timeoutMs: number): Promise<GuestProbeResult> {
  const ending = await converse({ host, port, autoSelectFamily: false }, CONNECT_ONLY, deadlineIn(timeoutMs));
  const target = isIP(host) === 6 ? `tcp [${host}]:${port}` : `tcp ${host}:${port}`;
  switch (ending.kind) {
    case "completed":
    case "closed":
      return { kind: "success" };
    case "not_connected":
      return {
        kind: FAILURE_CODES.has(ending.code) ? "failure" : "unknown",
        error: printable(`${target}: ${ending.error}`),
      };
    case "timed_out":
      return { kind: "failure", error: `${target}: no connection before the deadline` };
    case "incapable":
      return { kind: "unknown", error: printable(`${target}: ${ending.error}`) };
    default:
      return unreachable(ending);
  }
}
