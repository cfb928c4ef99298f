/**
 * What the answer of a collector means: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
 * @module
 */

import { z } from "zod";

/** https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes */
const RETRYABLE_STATUS = [429, 502, 503, 504];
/** https://www.rfc-editor.org/rfc/rfc9110#status.413 */
const TOO_LARGE_STATUS = 413;

export type PostOutcome =
  | { readonly kind: "accepted" }
  /** The collector took a part of it; sending it again would count that part twice. */
  | { readonly kind: "partial"; readonly error: string }
  /** `retryAfterMs`: as the collector asked for. */
  | { readonly kind: "retryable"; readonly error: string; readonly retryAfterMs: number | undefined }
  /** A smaller body may be taken. */
  | { readonly kind: "too_large"; readonly error: string }
  | { readonly kind: "refused"; readonly error: string };

export interface Answer {
  readonly status: number;
  /** The header's value. */
  readonly retryAfter: string | undefined;
  readonly body: string;
}

/** @param errorText makes an error of what there is to say, which has parts of the body */
export function outcomeOf({ status, retryAfter, body }: Answer, errorText: (said: string) => string): PostOutcome {
  if (status >= 200 && status < 300) return acceptedOf(status, body, errorText);
  const error = errorText(`it answered ${status} ${body.trim()}`);
  if (status === TOO_LARGE_STATUS) return { kind: "too_large", error };
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
function acceptedOf(status: number, body: string, errorText: (said: string) => string): PostOutcome {
  if (body.trim() === "") return { kind: "accepted" };
  const answer = answerSchema.safeParse(jsonOf(body));
  if (!answer.success)
    return { kind: "refused", error: errorText(`it answered ${status}, but not as a collector: ${body}`) };
  const { rejectedDataPoints = 0, rejectedSpans = 0, errorMessage } = answer.data.partialSuccess ?? {};
  const rejected = rejectedDataPoints + rejectedSpans;
  if (rejected === 0) return { kind: "accepted" };
  return { kind: "partial", error: errorText(`it rejected ${rejected}: ${errorMessage ?? "without a reason"}`) };
}

/** Each form of a date in HTTP begins with the day's name. `Date.parse` makes a date of nearly anything, `-5` among it. */
const HTTP_DATE = /^\s*(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\d\d:\d\d:\d\d/;

/** Seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1_000;
  const at = HTTP_DATE.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
