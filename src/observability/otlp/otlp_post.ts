/**
 * One `POST` of OTLP/HTTP with JSON.
 *
 * Over `node:http` with an agent of its own for each request: a pooled connection would go on talking to a collector that was replaced. The
 * deadline is absolute and begins before anything is read or compressed, since a socket's timeout is idle time only and a collector that drips
 * a byte a second would never end it. No redirect is followed, as our headers are for the collector alone.
 * @module
 */

import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { outcomeOf, type PostOutcome } from "./collector_answer.ts";
import type { SignalTarget } from "./otlp_plan.ts";
import { errorTextFor } from "./target_secrets.ts";
import { readTlsFiles } from "./tls_files.ts";

/** An honest answer has some hundred bytes. */
const ANSWER_BYTES_MAX = 65_536;

export interface PostLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const compress = promisify(gzip);

/** Never rejected. */
export function post(target: SignalTarget, json: string, { timeoutMs, signal }: PostLimits): Promise<PostOutcome> {
  const errorText = errorTextFor(target);
  return new Promise((resolve) => {
    let request: ClientRequest | undefined;
    let ended = false;
    const end = (outcome: PostOutcome): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      request?.destroy();
      resolve(outcome);
    };
    const failed = (kind: "retryable" | "refused", error: unknown): void => {
      const said = errorText(messageOf(error));
      end(kind === "refused" ? { kind, error: said } : { kind, error: said, retryAfterMs: undefined });
    };
    const onAbort = (): void => failed("refused", "the agent stops");
    const timer = setTimeout(() => failed("retryable", `no answer within ${Math.round(timeoutMs)} ms`), timeoutMs);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) {
      onAbort();
      return;
    }
    const begin = async (): Promise<void> => {
      const plain = Buffer.from(json);
      const body = target.compression === "gzip" ? await compress(plain) : plain;
      const options = {
        ...(await readTlsFiles(target)),
        method: "POST",
        agent: false,
        headers: headersOf(target, body),
      };
      if (ended) return;
      request = begun(target, options, (response) => readAnswer(response, { end, failed, errorText }));
      request.on("error", (error) => failed("retryable", error));
      request.end(body);
    };
    begin().catch((error: unknown) => failed("refused", error));
  });
}

function begun(target: SignalTarget, options: RequestOptions, onAnswer: (answer: IncomingMessage) => void) {
  const send = target.url.protocol === "https:" ? httpsRequest : httpRequest;
  return send(target.url, options, onAnswer);
}

function headersOf({ headers, compression }: SignalTarget, body: Buffer): Record<string, string | number> {
  return {
    ...headers,
    "content-type": "application/json",
    "content-length": body.byteLength,
    ...(compression === "gzip" ? { "content-encoding": "gzip" } : {}),
    // An answer is read as it comes.
    "accept-encoding": "identity",
    connection: "close",
  };
}

interface Reading {
  readonly end: (outcome: PostOutcome) => void;
  readonly failed: (kind: "retryable" | "refused", error: unknown) => void;
  readonly errorText: (said: string) => string;
}

function readAnswer(response: IncomingMessage, { end, failed, errorText }: Reading): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) failed("refused", `its answer is longer than ${ANSWER_BYTES_MAX} bytes`);
    else chunks.push(chunk);
  });
  response.on("error", (error) => failed("retryable", error));
  response.on("aborted", () => failed("retryable", "its answer broke off"));
  response.on("end", () => {
    const { statusCode: status = 0, headers } = response;
    const body = Buffer.concat(chunks).toString("utf8");
    end(outcomeOf({ status, retryAfter: headers["retry-after"], body }, errorText));
  });
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return error.message === "" || error.message === undefined ? code || error.name : error.message;
}
