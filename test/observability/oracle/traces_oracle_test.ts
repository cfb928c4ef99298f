/** The official SDK as oracle for spans: the same story told to both gives the same OTLP JSON, but for the random ids. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import { Resource } from "@opentelemetry/resources";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { tracesBodies } from "../../../src/observability/otlp/traces_json.ts";
import { TracerProvider } from "../../../src/observability/trace/tracer_provider.ts";
import { Seeded } from "../../async/seeded.ts";
import { normalJson } from "./normal_json.ts";
import { PROTOCOL, throughProtocol } from "./protocol_definition.ts";

const SEEDS = 100;
const RESOURCE = { "service.name": "metald" };
const BYTES_MAX = 1_000_000;

function tell(tracer: Tracer, chance: Seeded): void {
  const open: Span[] = [];
  for (let turn = 0; turn < 30; turn += 1) {
    const span = open[chance.below(open.length + 1)];
    switch (chance.below(span === undefined ? 1 : 8)) {
      case 0: {
        const context = span === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, span);
        const kind = chance.pick([SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.SERVER]);
        const links = span === undefined ? [] : [{ context: span.spanContext(), attributes: { why: "linked" } }];
        const root = chance.below(4) === 0;
        open.push(
          tracer.startSpan(`span ${turn}`, { kind, links, root, attributes: { vm_id: "vm-1", turn } }, context),
        );
        break;
      }
      case 1:
        span?.setAttribute(chance.pick(["a", "b"]), chance.pick(["x", 1, 2.5, true]));
        break;
      case 2:
        span?.addEvent("fenced", { proof: "exited" });
        break;
      case 3:
        span?.recordException(chance.pick([{ name: "Error", message: "lost" }, "a text"]));
        break;
      case 4:
        // Not OK: it is final by the specification, and with us, but not in this release of the SDK.
        span?.setStatus({ code: SpanStatusCode.ERROR, message: chance.pick(["timeout", "refused"]) });
        break;
      case 5:
        span?.updateName(`renamed ${turn}`);
        break;
      default:
        span?.end();
        break;
    }
  }
  for (const span of open) span.end();
}

describe("our spans and those of the official SDK", () => {
  it(`are the same JSON for ${SEEDS} random stories`, async () => {
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const ours = new TracerProvider({ now: Date.now, sampleRatio: 1 });
      const exporter = new InMemorySpanExporter();
      const spanProcessors = [new SimpleSpanProcessor(exporter)];
      const theirs = new BasicTracerProvider({ resource: new Resource(RESOURCE), spanProcessors });
      for (const provider of [ours, theirs]) tell(provider.getTracer("metald", "0.1.0"), new Seeded(seed));
      await theirs.forceFlush();
      const expected = JsonTraceSerializer.serializeRequest(exporter.getFinishedSpans());
      const [body] = tracesBodies(RESOURCE, ours.take().spans, BYTES_MAX);
      const actual = spansOf(JSON.parse(body?.json ?? ""));
      assert.ok(actual.length > 0);
      assert.deepEqual(actual, spansOf(JSON.parse(new TextDecoder().decode(expected))), `seed ${seed}`);
      await theirs.shutdown();
    }
  });

  it("lose no field on the way through the protocol's definition", () => {
    const ours = new TracerProvider({ now: Date.now, sampleRatio: 1 });
    tell(ours.getTracer("metald", "0.1.0"), new Seeded(7));
    const [body] = tracesBodies(RESOURCE, ours.take().spans, BYTES_MAX);
    const sent = withBase64Ids(JSON.parse(body?.json ?? ""));
    assert.deepEqual(normalJson(throughProtocol(PROTOCOL.trace.v1.ExportTraceServiceRequest, sent)), normalJson(sent));
  });
});

/** The spans in the order of their end, with ids that are numbers in the order in which they appear. */
function spansOf(document: {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { spans: object[] }[] }[];
}) {
  const spans = document.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  const numbers = new Map<unknown, string>();
  const numbered = (key: string, value: unknown): unknown => {
    if (key === "droppedAttributesCount" && value === 0) return undefined;
    if (!/^(traceId|spanId|parentSpanId)$/.test(key)) return value;
    if (!numbers.has(value)) numbers.set(value, `id ${numbers.size}`);
    return numbers.get(value);
  };
  return JSON.parse(
    JSON.stringify(
      spans.map((span) => normalJson(span)),
      numbered,
    ),
  );
}

/** protobufjs takes bytes as base64, where OTLP says hexadecimal. */
function withBase64Ids(json: object): object {
  return JSON.parse(
    JSON.stringify(json, (key, value) =>
      /^(traceId|spanId|parentSpanId)$/.test(key) ? Buffer.from(value, "hex").toString("base64") : value,
    ),
  );
}
