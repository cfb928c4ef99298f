/**
 * One command to QEMU's monitor, in the QEMU Machine Protocol: https://www.qemu.org/docs/master/interop/qmp-spec.html
 *
 * Every connection begins with QEMU's greeting and ours, `qmp_capabilities`. Events come at any time between the lines;
 * a reply is known by the id that we gave the command.
 * @module
 */

import { z } from "zod";
import { parseJson } from "./api_answer.ts";
import { converse, type Ending } from "./conversation.ts";

export type QmpReply =
  | { readonly kind: "return"; readonly value: unknown }
  /** QEMU took the command and refused it. */
  | { readonly kind: "error"; readonly error: string }
  /** May hold foreign characters. */
  | { readonly kind: "malformed"; readonly error: string };

export type QmpCommand = "query-status" | "system_powerdown";

/** Of a whole conversation: a monitor that talks without end gives no answer. */
const RECEIVED_BYTES_MAX = 1024 * 1024;

const MESSAGE = z.object({
  QMP: z.unknown().optional(),
  id: z.unknown().optional(),
  return: z.unknown().optional(),
  error: z.object({ class: z.string().optional(), desc: z.string().optional() }).optional(),
});

/** The ids of the two commands of a conversation, in order. */
const CAPABILITIES_ID = "metald-capabilities";
const COMMAND_ID = "metald-command";

type Awaited = "greeting" | typeof CAPABILITIES_ID | typeof COMMAND_ID;

/**
 * @param socketPath of a monitor that nobody else uses
 * @param deadlineAt see `deadlineIn`
 */
export function executeQmp(socketPath: string, command: QmpCommand, deadlineAt: number): Promise<Ending<QmpReply>> {
  const decoder = new TextDecoder();
  let awaited: Awaited = "greeting";
  let line = "";
  let receivedBytes = 0;

  const take = (text: string, send: (text: string) => void): QmpReply | undefined => {
    if (text.trim() === "") return undefined;
    const parsed = MESSAGE.safeParse(parseJson(text));
    if (!parsed.success) return { kind: "malformed", error: `no QMP message: ${text}` };
    const message = parsed.data;
    if (awaited === "greeting") {
      if (message.QMP === undefined) return { kind: "malformed", error: `no QMP greeting: ${text}` };
      awaited = CAPABILITIES_ID;
      send(`${JSON.stringify({ execute: "qmp_capabilities", id: awaited })}\n`);
      return undefined;
    }
    // Events, and nothing else, have no id.
    if (message.id !== awaited) return undefined;
    if (message.error !== undefined) {
      return { kind: "error", error: `${message.error.class ?? "error"}: ${message.error.desc ?? "no text"}` };
    }
    if (awaited === COMMAND_ID) return { kind: "return", value: message.return };
    awaited = COMMAND_ID;
    send(`${JSON.stringify({ execute: command, id: awaited })}\n`);
    return undefined;
  };

  return converse<QmpReply>(
    { path: socketPath },
    {
      open: () => undefined,
      receive(bytes, send) {
        receivedBytes += bytes.length;
        const [first = "", ...rest] = decoder.decode(bytes, { stream: true }).split("\n");
        line += first;
        for (const next of rest) {
          const reply = take(line, send);
          if (reply !== undefined) return reply;
          line = next;
        }
        if (receivedBytes <= RECEIVED_BYTES_MAX) return undefined;
        return { kind: "malformed", error: `more than ${RECEIVED_BYTES_MAX} bytes without a reply` };
      },
      end: () => undefined,
    },
    deadlineAt,
  );
}
