/**
 * A span that has ended, as it is exported.
 * @module
 */

import type { Attributes, Link, SpanContext, SpanKind, SpanStatus } from "@opentelemetry/api";

export interface SpanEvent {
  readonly name: string;
  /** Milliseconds since 1970, with a fraction. */
  readonly at: number;
  readonly attributes: Attributes;
}

export interface FinishedSpan {
  readonly scope: { readonly name: string; readonly version: string | undefined };
  readonly context: SpanContext;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  /** Milliseconds since 1970, with a fraction. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Attributes;
  readonly droppedAttributes: number;
  readonly events: readonly SpanEvent[];
  readonly droppedEvents: number;
  readonly links: readonly Link[];
  readonly droppedLinks: number;
  readonly status: SpanStatus;
}
