import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { context, createContextKey, ROOT_CONTEXT, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncContextManager } from "../../../src/observability/trace/async_context.ts";
import { QUEUED_SPANS_MAX, TracerProvider } from "../../../src/observability/trace/tracer_provider.ts";

const KEY = createContextKey("test");

describe("the context", () => {
  it("follows asynchronous calls, each its own", async () => {
    const manager = new AsyncContextManager();
    const seen = async (name: string) => {
      await new Promise((resolve) => setImmediate(resolve));
      return [name, manager.active().getValue(KEY)];
    };
    const calls = ["a", "b"].map((name) => manager.with(ROOT_CONTEXT.setValue(KEY, name), () => seen(name)));
    assert.deepEqual(await Promise.all(calls), [
      ["a", "a"],
      ["b", "b"],
    ]);
    assert.equal(manager.active(), ROOT_CONTEXT);
  });

  it("is kept by a function that was bound to it, with its `this` and its arguments", () => {
    const manager = new AsyncContextManager();
    const bound = manager.bind(ROOT_CONTEXT.setValue(KEY, "x"), function (this: object, n: number) {
      return [this, n, manager.active().getValue(KEY)];
    });
    const self = {};
    assert.deepEqual(bound.call(self, 7), [self, 7, "x"]);
    assert.equal(manager.bind(ROOT_CONTEXT, 5), 5);
  });
});

describe("a tracer", () => {
  it("makes the active span the parent", async () => {
    context.disable();
    context.setGlobalContextManager(new AsyncContextManager());
    try {
      const provider = new TracerProvider({ now: Date.now, sampleRatio: 1 });
      const tracer = provider.getTracer("test");
      await tracer.startActiveSpan("outer", async (outer) => {
        await Promise.resolve();
        assert.equal(trace.getActiveSpan(), outer);
        tracer.startSpan("inner").end();
        tracer.startSpan("other", { root: true }).end();
        outer.end();
      });
      const [inner, other, outer] = provider.take().spans;
      assert.equal(inner?.parentSpanId, outer?.context.spanId);
      assert.equal(inner?.context.traceId, outer?.context.traceId);
      assert.equal(other?.parentSpanId, undefined);
      assert.notEqual(other?.context.traceId, outer?.context.traceId);
    } finally {
      context.disable();
    }
  });

  it("samples by the trace, and a child as its parent", () => {
    const provider = new TracerProvider({ now: Date.now, sampleRatio: 0.5 });
    const tracer = provider.getTracer("test");
    let sampled = 0;
    for (let n = 0; n < 1_000; n += 1) {
      const parent = tracer.startSpan("parent");
      const child = tracer.startSpan("child", {}, trace.setSpan(ROOT_CONTEXT, parent));
      assert.equal(child.isRecording(), parent.isRecording());
      if (parent.isRecording()) sampled += 1;
      child.end();
      parent.end();
    }
    assert.ok(sampled > 400 && sampled < 600, String(sampled));
    assert.equal(provider.take().spans.length, 2 * sampled);
    const none = new TracerProvider({ now: Date.now, sampleRatio: 0 });
    none.getTracer("test").startSpan("never").end();
    assert.deepEqual(none.take(), { spans: [], dropped: 0 });
  });

  it("keeps no more of a text than the log does, so that what waits is bounded in bytes", () => {
    const provider = new TracerProvider({ now: Date.now, sampleRatio: 1 });
    const span = provider.getTracer("test").startSpan("s", { attributes: { evidence: "x".repeat(100_000) } });
    span.setStatus({ code: SpanStatusCode.ERROR, message: "y".repeat(100_000) }).end();
    const [{ attributes, status } = assert.fail("there is a span")] = provider.take().spans;
    assert.match(String(attributes["evidence"]), /^x{1000}\.\.\. \(99000 more\)$/);
    assert.match(status.message ?? "", /^y{1000}\.\.\. \(99000 more\)$/);
  });

  it("keeps a bounded number of spans while nobody takes them, and says how many it dropped", () => {
    const provider = new TracerProvider({ now: Date.now, sampleRatio: 1 });
    const tracer = provider.getTracer("test");
    for (let n = 0; n < QUEUED_SPANS_MAX + 10; n += 1) tracer.startSpan("span").end();
    const { spans, dropped } = provider.take();
    assert.deepEqual([spans.length, dropped], [QUEUED_SPANS_MAX, 10]);
    assert.deepEqual(provider.take(), { spans: [], dropped: 0 });
  });

  it("leaves a status of OK as it is", () => {
    const provider = new TracerProvider({ now: Date.now, sampleRatio: 1 });
    const span = provider.getTracer("test").startSpan("span");
    span.setStatus({ code: SpanStatusCode.ERROR, message: "lost" }).setStatus({ code: SpanStatusCode.OK });
    span.setStatus({ code: SpanStatusCode.ERROR, message: "late" }).setStatus({ code: SpanStatusCode.UNSET }).end();
    assert.deepEqual(provider.take().spans[0]?.status, { code: SpanStatusCode.OK });
  });

  it("keeps a bounded number of attributes, events and links, and says nothing of what comes after the end", () => {
    const provider = new TracerProvider({ now: Date.now, sampleRatio: 1 });
    const span = provider.getTracer("test").startSpan("span", { startTime: 1_700_000_000_000 });
    for (let n = 0; n < 200; n += 1) {
      span.setAttribute(`key ${n}`, n);
      span.addEvent("event");
      span.addLink({ context: span.spanContext() });
    }
    span.end([1_700_000_001, 500_000_000]);
    span.setAttribute("late", 1).addEvent("late").updateName("late").end();
    const [finished, ...more] = provider.take().spans;
    assert.equal(more.length, 0);
    assert.deepEqual([finished?.startedAt, finished?.endedAt], [1_700_000_000_000, 1_700_000_001_500]);
    assert.deepEqual([Object.keys(finished?.attributes ?? {}).length, finished?.droppedAttributes], [128, 72]);
    assert.deepEqual([finished?.events.length, finished?.droppedEvents], [128, 72]);
    assert.deepEqual([finished?.links.length, finished?.droppedLinks], [128, 72]);
    assert.equal(finished?.name, "span");
  });
});
