import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SpanStatusCode } from "@opentelemetry/api";
import { followFleet } from "../../src/observability/fleet_traces.ts";
import { TracerProvider } from "../../src/observability/trace/tracer_provider.ts";

const process = { bootId: "b", pid: 1, startTicks: 1 };

function fleet(options: { readonly healthCheckSpans?: "failures" | "all"; readonly sampleRatio?: number } = {}) {
  let now = 1_700_000_000_000;
  const provider = new TracerProvider({ now: () => now, sampleRatio: options.sampleRatio ?? 1 });
  const healthCheckSpans = options.healthCheckSpans ?? "failures";
  const follow = followFleet({ tracer: provider.getTracer("metald"), now: () => now, healthCheckSpans });
  return {
    follow,
    take: () => provider.take().spans,
    pass: (durationMs: number) => {
      now += durationMs;
    },
  };
}

const lost = (vmId: string) =>
  ({
    type: "orphan_detected",
    vmId,
    vmm: "process",
    process,
    reason: "process_dead",
    evidence: "its process is gone",
    lastSeenAgoMs: 100,
    downtimeMs: 5,
    detect: "event",
    detectionDelayMs: 5,
  }) as const;
const attempting = (vmId: string, attempt: number) =>
  ({ type: "recovery_attempting", vmId, attempt, reason: "process_dead", action: "restart" }) as const;
const failed = (vmId: string) =>
  ({
    type: "attempt_failed",
    vmId,
    recovery: true,
    attempt: 1,
    maxRetries: 3,
    cause: "launch_refused",
    error: "no such program",
    durationMs: 10,
    retryDelayMs: 10,
  }) as const;
const recovered = (vmId: string) =>
  ({
    type: "recovery_successful",
    vmId,
    vmm: "process",
    process,
    attempt: 2,
    reason: "process_dead",
    incarnation: 2,
    totalDurationMs: 50,
    guestMemory: "lost",
  }) as const;

describe("the spans of a recovery", () => {
  it("are one trace, whose id is told for each event of it and for none after it", () => {
    const { follow, take, pass } = fleet();
    const ids = new Set([follow(lost("vm-1"))]);
    pass(10);
    for (const event of [attempting("vm-1", 1), failed("vm-1"), attempting("vm-1", 2)]) {
      ids.add(follow(event));
      pass(10);
    }
    ids.add(follow({ type: "fenced", vmId: "vm-1", vmm: "process", process, proof: "exited" }));
    ids.add(follow(recovered("vm-1")));
    assert.equal(ids.size, 1);
    const [traceId] = ids;
    assert.match(traceId ?? "", /^[0-9a-f]{32}$/);
    assert.equal(follow({ type: "vm_released", vmId: "vm-1" }), undefined);

    const spans = take();
    assert.deepEqual(
      spans.map(({ name, attributes, status, startedAt, endedAt }) => [
        name,
        attributes["vm_id"],
        status.code,
        endedAt - startedAt,
      ]),
      [
        ["detect_orphaned_vms", "vm-1", SpanStatusCode.UNSET, 5],
        ["recovery_attempt", "vm-1", SpanStatusCode.ERROR, 10],
        ["recovery_attempt", "vm-1", SpanStatusCode.OK, 10],
      ],
    );
    const [detected, first, second] = spans;
    assert.ok(spans.every(({ context }) => context.traceId === traceId));
    for (const attempt of [first, second]) assert.equal(attempt?.parentSpanId, detected?.context.spanId);
    assert.deepEqual([first?.status.message, first?.attributes["cause"]], ["no such program", "launch_refused"]);
    assert.deepEqual([detected?.attributes["reason"], detected?.attributes["source"]], ["process_dead", "event"]);
  });

  it("are another trace for another VM and for the next loss", () => {
    const { follow } = fleet();
    const ids = [follow(lost("vm-1")), follow(lost("vm-2"))];
    follow(recovered("vm-1"));
    ids.push(follow(lost("vm-1")));
    assert.equal(new Set(ids).size, 3);
  });

  it("begin with an attempt where an earlier agent detected the loss", () => {
    const { follow, take } = fleet();
    const traceId = follow(attempting("vm-1", 2));
    assert.match(traceId ?? "", /^[0-9a-f]{32}$/);
    assert.equal(follow(recovered("vm-1")), traceId);
    assert.deepEqual(
      take().map(({ name, parentSpanId }) => [name, parentSpanId]),
      [["recovery_attempt", undefined]],
    );
  });

  it("end with the VM's record", () => {
    const { follow, take } = fleet();
    follow(lost("vm-1"));
    follow(attempting("vm-1", 1));
    follow({ type: "vm_deleted", vmId: "vm-1" });
    assert.deepEqual(
      take().map(({ name }) => name),
      ["detect_orphaned_vms", "recovery_attempt"],
    );
  });

  it("end when the VM was stopped instead, and are not those of its next start", () => {
    const { follow, take } = fleet();
    const traceId = follow(lost("vm-1"));
    follow(attempting("vm-1", 1));
    assert.equal(
      follow({ type: "vm_stopped", vmId: "vm-1", vmm: "process", process: undefined, durationMs: 0 }),
      traceId,
    );
    assert.equal(follow({ type: "vm_starting", vmId: "vm-1", attempt: 1 }), undefined);
    assert.equal(take().length, 2);
  });

  it("are not named in the log when they are not exported", () => {
    const { follow, take } = fleet({ sampleRatio: 0 });
    assert.equal(follow(lost("vm-1")), undefined);
    assert.deepEqual(take(), []);
  });

  it("are none of a first start", () => {
    const { follow, take } = fleet();
    assert.equal(follow({ type: "vm_starting", vmId: "vm-1", attempt: 1 }), undefined);
    follow({ ...failed("vm-1"), recovery: false });
    follow({ type: "vm_started", vmId: "vm-1", vmm: "process", process, durationMs: 1, attempt: 2 });
    assert.deepEqual(take(), []);
  });
});

describe("the spans of health checks", () => {
  for (const [healthCheckSpans, expected] of [
    ["failures", ["failure"]],
    ["all", ["success", "failure", "unknown"]],
  ] as const) {
    it(`are those of ${healthCheckSpans}, as long as the check`, () => {
      const { follow, take } = fleet({ healthCheckSpans });
      for (const outcome of ["success", "failure", "unknown"] as const) {
        follow({ type: "probe_finished", vmId: "vm-1", outcome, durationMs: 7 });
      }
      follow({ type: "subsystem_stopping", vms: 1 });
      const spans = take();
      assert.deepEqual(
        spans.map(({ attributes }) => attributes["outcome"]),
        expected,
      );
      for (const { name, startedAt, endedAt } of spans) {
        assert.deepEqual([name, endedAt - startedAt], ["vm_health_check", 7]);
      }
    });
  }

  it("say by what a check failed, and its line has their trace", () => {
    const { follow, take, pass } = fleet();
    const traceId = follow({ type: "probe_finished", vmId: "vm-1", outcome: "failure", durationMs: 7 });
    pass(100);
    const why = { layer: "api", failureCount: 1, threshold: 3, error: "connection refused", durationMs: 7 } as const;
    assert.equal(follow({ type: "health_check_failed", vmId: "vm-1", ...why }), traceId);
    const [span] = take();
    assert.ok(span !== undefined);
    assert.equal(span.context.traceId, traceId);
    assert.deepEqual([span.attributes["layer"], span.status.message], ["api", "connection refused"]);
    assert.equal(span.endedAt - span.startedAt, 7);
  });

  it("belong to the trace of the loss that they are made during", () => {
    const { follow, take } = fleet();
    const traceId = follow(lost("vm-1"));
    assert.equal(follow({ type: "probe_finished", vmId: "vm-1", outcome: "failure", durationMs: 7 }), traceId);
    assert.equal(follow({ type: "vm_released", vmId: "vm-1" }), traceId);
    assert.equal(take().at(-1)?.name, "vm_health_check");
  });
});
