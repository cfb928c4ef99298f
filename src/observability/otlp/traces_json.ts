/**
 * Spans as bodies of `POST /v1/traces`: the message `ExportTraceServiceRequest` in JSON. Ids are hexadecimal there, unlike all
 * other bytes in the JSON form of protobuf: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 *
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 * @module
 */

import type { Attributes, SpanContext } from "@opentelemetry/api";
import type { FinishedSpan } from "../trace/finished_span.ts";
import { keyValues, unixNano } from "./any_value.ts";
import type { Body } from "./metrics_json.ts";
import { halves, packed } from "./packed.ts";

/** The enumeration of the protocol begins with "unspecified", that of the API with "internal". */
const KIND_OFFSET = 1;

interface Piece {
  readonly scope: FinishedSpan["scope"];
  readonly json: object;
}

/** No body without a span. @param bytesMax of a body before compression, but for the envelope */
export function tracesBodies(resource: Attributes, spans: readonly FinishedSpan[], bytesMax: number): Body[] {
  const pieces = spans.map((span) => ({ scope: span.scope, json: spanJson(span) }));
  return packed(pieces, ({ json }) => JSON.stringify(json).length + 100, bytesMax).map((group) =>
    bodyOf(resource, group),
  );
}

function bodyOf(resource: Attributes, group: readonly Piece[]): Body {
  const scopes = new Map<FinishedSpan["scope"], object[]>();
  for (const { scope, json } of group) {
    const sameScope = [...scopes.keys()].find(({ name, version }) => name === scope.name && version === scope.version);
    if (sameScope === undefined) scopes.set(scope, [json]);
    else scopes.get(sameScope)?.push(json);
  }
  const scopeSpans = [...scopes].map(([{ name, version }, each]) => ({ scope: { name, version }, spans: each }));
  return {
    json: JSON.stringify({ resourceSpans: [{ resource: { attributes: keyValues(resource) }, scopeSpans }] }),
    items: group.length,
    halved: () => halves(group).map((half) => bodyOf(resource, half)),
  };
}

function spanJson(span: FinishedSpan): object {
  return {
    ...contextJson(span.context),
    parentSpanId: span.parentSpanId,
    name: span.name,
    kind: span.kind + KIND_OFFSET,
    startTimeUnixNano: unixNano(span.startedAt),
    endTimeUnixNano: unixNano(span.endedAt),
    attributes: keyValues(span.attributes),
    droppedAttributesCount: span.droppedAttributes,
    events: span.events.map(({ name, at, attributes }) => ({
      timeUnixNano: unixNano(at),
      name,
      attributes: keyValues(attributes),
    })),
    droppedEventsCount: span.droppedEvents,
    links: span.links.map(({ context, attributes }) => ({
      ...contextJson(context),
      attributes: keyValues(attributes ?? {}),
    })),
    droppedLinksCount: span.droppedLinks,
    status: { code: span.status.code, message: span.status.message },
  };
}

function contextJson({ traceId, spanId, traceState }: SpanContext): object {
  return { traceId, spanId, traceState: traceState?.serialize() };
}
