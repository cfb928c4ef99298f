import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { outcomeOf, retryAfterMs } from "../../../src/observability/otlp/collector_answer.ts";

describe("what an answer means", () => {
  it("takes the time of Retry-After in seconds and as a date, and ignores anything else", () => {
    const now = Date.parse("2026-01-02T03:04:05Z");
    assert.equal(retryAfterMs("7", now), 7_000);
    assert.equal(retryAfterMs("Fri, 02 Jan 2026 03:04:15 GMT", now), 10_000);
    assert.equal(retryAfterMs("Fri, 02 Jan 2026 03:04:00 GMT", now), 0);
    assert.equal(retryAfterMs("Friday, 02-Jan-26 03:04:15 GMT", now), 10_000);
    assert.equal(retryAfterMs("Fri Jan  2 03:04:15 2026 GMT", now), 10_000);
    assert.equal(retryAfterMs("9".repeat(400), now), Number.POSITIVE_INFINITY);
    for (const other of [undefined, "", "soon", "soon 5", "-5", "1.5", "1e3", "0x10", "Friday"]) {
      assert.equal(retryAfterMs(other, now), undefined, other);
    }
  });

  it("is rejected in part by the points or the spans that it counts, as a number or as a text", () => {
    for (const name of ["rejectedDataPoints", "rejectedSpans"]) {
      for (const count of ["3", 3]) {
        const body = JSON.stringify({ partialSuccess: { rejectedDataPoints: 0, [name]: count } });
        const outcome = outcomeOf({ status: 200, retryAfter: undefined, body }, (said) => `${said}!`);
        assert.deepEqual(outcome, { kind: "partial", error: "it rejected 3: without a reason!" });
      }
    }
  });
});
