/**
 * What a conversation with a VMM that was not completed says about the VMM.
 *
 * Silence and a wrong answer differ in what may follow: a mute API is one half of a pair that permits force, a wrong
 * answer never is. And what this process lacked says nothing at all.
 * @module
 */

import { unreachable } from "../../domain/unreachable.ts";
import type { VmmAnswer } from "../../ports/vmm.ts";
import type { Ending } from "./conversation.ts";
import { printable } from "./printable.ts";

export type Unanswered = Exclude<VmmAnswer, { readonly kind: "state" }>;

/**
 * Nobody serves the socket, or its backlog is full (`EAGAIN`): https://man7.org/linux/man-pages/man2/connect.2.html
 * `EPROTOTYPE` is a datagram socket, `ENOTDIR` and `ELOOP` a path that cannot hold a socket.
 */
const SILENT_CODES: ReadonlySet<string> = new Set([
  "ENOENT",
  "ENOTDIR",
  "ELOOP",
  "ECONNREFUSED",
  "EAGAIN",
  "ETIMEDOUT",
  "EPROTOTYPE",
]);

/** @param asked what was asked of whom, for the error's text: `GET /` */
export function unanswered(ending: Exclude<Ending<never>, { readonly kind: "completed" }>, asked: string): Unanswered {
  switch (ending.kind) {
    case "not_connected":
      return {
        kind: SILENT_CODES.has(ending.code) ? "silent" : "unknown",
        error: printable(`${asked}: ${ending.error}`),
      };
    case "closed":
      return {
        kind: "wrong",
        error: printable(
          `${asked}: ${ending.error} after ${ending.receivedBytes} bytes, before an answer was complete`,
        ),
      };
    case "timed_out":
      if (ending.receivedBytes > 0) {
        return {
          kind: "wrong",
          error: `${asked}: ${ending.receivedBytes} bytes before the deadline, but no complete answer`,
        };
      }
      return { kind: "silent", error: `${asked}: no answer before the deadline` };
    case "incapable":
      return { kind: "unknown", error: printable(`${asked}: ${ending.error}`) };
    default:
      return unreachable(ending);
  }
}
