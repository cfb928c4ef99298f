/**
 * Whether somebody accepts connections at a socket's path.
 * @module
 */

import { unreachable } from "../../domain/unreachable.ts";
import type { SocketState } from "../../ports/vmm.ts";
import { converse, deadlineIn, type Protocol } from "./conversation.ts";

/** Hangs up as soon as it is connected, having said nothing. */
export const CONNECT_ONLY: Protocol<"connected"> = {
  open: () => "connected",
  receive: () => undefined,
  end: () => undefined,
};

const REFUSING_CODES: ReadonlySet<string> = new Set(["ECONNREFUSED", "EAGAIN", "EPROTOTYPE"]);
const MISSING_CODES: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"]);

/** @returns `refuses` also for what is no listening socket: a plain file, a socket whose owner died */
export async function socketState(path: string, timeoutMs: number): Promise<SocketState> {
  const ending = await converse({ path }, CONNECT_ONLY, deadlineIn(timeoutMs));
  switch (ending.kind) {
    case "completed":
    case "closed":
      return "accepts";
    case "not_connected":
      if (MISSING_CODES.has(ending.code)) return "missing";
      return REFUSING_CODES.has(ending.code) ? "refuses" : "unknown";
    case "timed_out":
    case "incapable":
      return "unknown";
    default:
      return unreachable(ending);
  }
}
