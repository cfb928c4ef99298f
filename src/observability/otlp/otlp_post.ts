/**
 * One `POST` of OTLP/HTTP with JSON, and what its answer means.
 *
 * Over `node:http` with an agent of its own for each request: a pooled connection would go on talking to a collector that was replaced. The
 * deadline is absolute, since a socket's timeout is idle time only and a collector that drips a byte a second would never end it.
 * https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
 * @module
 */

import { readFile } from "node:fs/promises";
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { z } from "zod";
import type { SignalTarget } from "./otlp_plan.ts";

/** An honest answer has some hundred bytes. */
const ANSWER_BYTES_MAX = 65_536;
const ERROR_LENGTH_MAX = 300;
/** https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes */
const RETRYABLE_STATUS = [429, 502, 503, 504];

export type PostOutcome =
  | { readonly kind: "accepted" }
  /** The collector took a part of it; sending it again would count that part twice. */
  | { readonly kind: "partial"; readonly error: string }
  /** `retryAfterMs`: as the collector asked for. */
  | { readonly kind: "retryable"; readonly error: string; readonly retryAfterMs: number | undefined }
  | { readonly kind: "refused"; readonly error: string };

export interface PostLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const compress = promisify(gzip);

/** Never rejected. */
export async function post(target: SignalTarget, json: string, limits: PostLimits): Promise<PostOutcome> {
  try {
    const plain = Buffer.from(json);
    const body = target.compression === "gzip" ? await compress(plain) : plain;
    return await exchange(target, body, await tlsOptions(target), limits);
  } catch (error) {
    return { kind: "refused", error: messageOf(error) };
  }
}

/** Read for each request, as certificates are renewed while the agent runs. */
async function tlsOptions({ url, tls }: SignalTarget): Promise<RequestOptions & Record<string, unknown>> {
  if (url.protocol !== "https:") return {};
  const entries = Object.entries({ ca: tls.certificate, cert: tls.clientCertificate, key: tls.clientKey });
  const options: Record<string, unknown> = {};
  for (const [name, path] of entries) if (path !== undefined) options[name] = await readFile(path);
  return options;
}

function exchange(
  target: SignalTarget,
  body: Buffer,
  tls: RequestOptions,
  { timeoutMs, signal }: PostLimits,
): Promise<PostOutcome> {
  return new Promise((resolve) => {
    let request: ClientRequest | undefined;
    const end = (outcome: PostOutcome): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      request?.destroy();
      resolve(outcome);
    };
    const onAbort = (): void => end({ kind: "refused", error: "the agent stops" });
    const timer = setTimeout(
      () => end({ kind: "retryable", error: `no answer within ${Math.round(timeoutMs)} ms`, retryAfterMs: undefined }),
      timeoutMs,
    );
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) {
      onAbort();
      return;
    }
    const send = target.url.protocol === "https:" ? httpsRequest : httpRequest;
    request = send(target.url, { ...tls, method: "POST", agent: false, headers: headersOf(target, body) }, (response) =>
      readAnswer(response, end),
    );
    request.on("error", (error) => end({ kind: "retryable", error: messageOf(error), retryAfterMs: undefined }));
    request.end(body);
  });
}

function headersOf({ headers, compression }: SignalTarget, body: Buffer): Record<string, string | number> {
  return {
    ...headers,
    "content-type": "application/json",
    "content-length": body.byteLength,
    ...(compression === "gzip" ? { "content-encoding": "gzip" } : {}),
    connection: "close",
  };
}

function readAnswer(response: IncomingMessage, end: (outcome: PostOutcome) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX)
      end({ kind: "refused", error: `its answer is longer than ${ANSWER_BYTES_MAX} bytes` });
    else chunks.push(chunk);
  });
  response.on("error", (error) => end({ kind: "retryable", error: messageOf(error), retryAfterMs: undefined }));
  response.on("aborted", () => end({ kind: "retryable", error: "its answer broke off", retryAfterMs: undefined }));
  response.on("end", () => {
    const retryAfter = response.headers["retry-after"];
    end(outcomeOf(response.statusCode ?? 0, retryAfter, Buffer.concat(chunks).toString("utf8")));
  });
}

/** @param retryAfter the header's value */
export function outcomeOf(status: number, retryAfter: string | undefined, body: string): PostOutcome {
  if (status >= 200 && status < 300) return acceptedOf(status, body);
  const error = bounded(`it answered ${status} ${body.trim()}`);
  if (!RETRYABLE_STATUS.includes(status)) return { kind: "refused", error };
  return { kind: "retryable", error, retryAfterMs: retryAfterMs(retryAfter, Date.now()) };
}

const count = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]);

const answerSchema = z.object({
  partialSuccess: z
    .object({
      rejectedDataPoints: count.optional(),
      rejectedSpans: count.optional(),
      errorMessage: z.string().optional(),
    })
    .nullish(),
});

/** A page of a login or a proxy also comes with 200; numbers sent there are lost. */
function acceptedOf(status: number, body: string): PostOutcome {
  if (body.trim() === "") return { kind: "accepted" };
  const answer = answerSchema.safeParse(jsonOf(body));
  if (!answer.success)
    return { kind: "refused", error: bounded(`it answered ${status}, but not as a collector: ${body}`) };
  const partial = answer.data.partialSuccess;
  const rejected = partial?.rejectedDataPoints ?? partial?.rejectedSpans ?? 0;
  if (rejected === 0) return { kind: "accepted" };
  return { kind: "partial", error: bounded(`it rejected ${rejected}: ${partial?.errorMessage ?? "without a reason"}`) };
}

/** Seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return bounded(String(error));
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return bounded(error.message === "" || error.message === undefined ? code || error.name : error.message);
}

function bounded(text: string): string {
  return text.length <= ERROR_LENGTH_MAX ? text : `${text.slice(0, ERROR_LENGTH_MAX)}...`;
}
