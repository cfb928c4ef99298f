/**
 * What an HTTP API's reply is to the question that was asked: the JSON wanted, or why there is none.
 * @module
 */

import type { z } from "zod";
import { unreachable } from "../../domain/unreachable.ts";
import type { ShutdownRequest } from "../../ports/vmm.ts";
import type { Ending } from "./conversation.ts";
import type { HttpReply } from "./http_response.ts";
import { printable } from "./printable.ts";
import { type Unanswered, unanswered } from "./unanswered.ts";

export type ApiAnswer<T> = { readonly kind: "value"; readonly value: T } | Unanswered;

/**
 * @param asked the question, for the error's text: `GET /`
 * @param shape what the JSON must have; more is welcome
 */
export function apiAnswer<T>(ending: Ending<HttpReply>, asked: string, shape: z.ZodType<T>): ApiAnswer<T> {
  if (ending.kind !== "completed") return unanswered(ending, asked);
  const reply = ending.value;
  switch (reply.kind) {
    case "malformed":
      return { kind: "wrong", error: printable(`${asked}: ${reply.error}`) };
    case "response": {
      if (reply.status !== 200) return { kind: "wrong", error: printable(`${asked}: ${reply.status} ${reply.body}`) };
      const value = shape.safeParse(parseJson(reply.body));
      if (value.success) return { kind: "value", value: value.data };
      return { kind: "wrong", error: printable(`${asked}: not the answer to it: ${reply.body}`) };
    }
    default:
      return unreachable(reply);
  }
}

/** What a reply to a request for the guest's shutdown means. */
export function shutdownRequest(ending: Ending<HttpReply>, asked: string): ShutdownRequest {
  if (ending.kind !== "completed") return { kind: "not_asked", error: unanswered(ending, asked).error };
  const reply = ending.value;
  if (reply.kind === "malformed") return { kind: "not_asked", error: printable(`${asked}: ${reply.error}`) };
  if (reply.status >= 200 && reply.status < 300) return { kind: "asked" };
  return { kind: "not_asked", error: printable(`${asked}: ${reply.status} ${reply.body}`) };
}

/** @returns undefined for what is no JSON, which no shape admits */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
