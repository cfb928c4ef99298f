/**
 * The provider behind `trace.getTracer()` of `@opentelemetry/api`: begins spans, decides which are recorded, keeps those that ended
 * until they are exported.
 *
 * What waits for export is bounded; beyond that spans are dropped and counted, as a collector that is down must not cost memory.
 * @module
 */

import { randomBytes } from "node:crypto";
import {
  type TracerProvider as ApiTracerProvider,
  type Context,
  context as contextApi,
  isSpanContextValid,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { FinishedSpan } from "./finished_span.ts";
import { RecordingSpan } from "./recording_span.ts";

/** As the batch span processor of the specification. */
export const QUEUED_SPANS_MAX = 2_048;

export interface TracerProviderOptions {
  /** Milliseconds since 1970, with a fraction. */
  readonly now: () => number;
  /** The share of traces that is recorded: 0 to 1. A child does as its parent. */
  readonly sampleRatio: number;
}

export class TracerProvider implements ApiTracerProvider {
  readonly #options: TracerProviderOptions;
  #queue: FinishedSpan[] = [];
  #dropped = 0;

  constructor(options: TracerProviderOptions) {
    this.#options = options;
  }

  getTracer(name: string, version?: string): Tracer {
    const begin = (spanName: string, options: SpanOptions, context: Context) =>
      this.#begin({ name, version }, spanName, options, context);
    return {
      startSpan: (spanName, options = {}, context = contextApi.active()) => begin(spanName, options, context),
      startActiveSpan: <F extends (span: Span) => unknown>(
        spanName: string,
        ...rest: [F] | [SpanOptions, F] | [SpanOptions, Context, F]
      ): ReturnType<F> => {
        const [options, parent, fn] = activeArguments(rest);
        const span = begin(spanName, options, parent);
        return contextApi.with(trace.setSpan(parent, span), () => fn(span) as ReturnType<F>);
      },
    };
  }

  /** Takes what has ended, oldest first, and how many were dropped since the last call. */
  take(): { readonly spans: readonly FinishedSpan[]; readonly dropped: number } {
    const taken = { spans: this.#queue, dropped: this.#dropped };
    this.#queue = [];
    this.#dropped = 0;
    return taken;
  }

  #begin(scope: FinishedSpan["scope"], name: string, options: SpanOptions, context: Context): Span {
    const parent = options.root === true ? undefined : trace.getSpanContext(context);
    const validParent = parent !== undefined && isSpanContextValid(parent) ? parent : undefined;
    const traceId = validParent?.traceId ?? randomId(16);
    const isSampled =
      validParent === undefined
        ? isInSample(traceId, this.#options.sampleRatio)
        : (validParent.traceFlags & TraceFlags.SAMPLED) !== 0;
    const spanContext: SpanContext = {
      traceId,
      spanId: randomId(8),
      traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
      ...(validParent?.traceState === undefined ? {} : { traceState: validParent.traceState }),
    };
    if (!isSampled) return trace.wrapSpanContext(spanContext);
    return new RecordingSpan({
      scope,
      name,
      context: spanContext,
      parentSpanId: validParent?.spanId,
      kind: options.kind ?? SpanKind.INTERNAL,
      startTime: options.startTime,
      attributes: options.attributes,
      links: options.links ?? [],
      now: this.#options.now,
      onEnd: (span) => this.#ended(span),
    });
  }

  #ended(span: FinishedSpan): void {
    if (this.#queue.length >= QUEUED_SPANS_MAX) this.#dropped += 1;
    else this.#queue.push(span);
  }
}

function activeArguments<F>(rest: [F] | [SpanOptions, F] | [SpanOptions, Context, F]): [SpanOptions, Context, F] {
  switch (rest.length) {
    case 1:
      return [{}, contextApi.active(), rest[0]];
    case 2:
      return [rest[0], contextApi.active(), rest[1]];
    default:
      return rest;
  }
}

/** A random id of `bytes` bytes in hexadecimal; all zeros mean none, so they are drawn again. */
function randomId(bytes: number): string {
  const id = randomBytes(bytes).toString("hex");
  return /^0+$/.test(id) ? randomId(bytes) : id;
}

/** By the trace's id, so that all who see the trace decide alike. */
function isInSample(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true;
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;
}
