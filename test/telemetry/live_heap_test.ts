/** What stays in memory of exports that fail. `npm run bench -- collectors` does the same for longer, with figures. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FAULTS } from "./faults.ts";
import { liveHeapBeside } from "./live_heap.ts";

const EXPORTS = 400;
const LONG = { timeout: 120_000 };
/** Of 130 exports of metrics and as many of traces, some 10 kB each: what keeps the bodies, or the spans, gains more than twice as much. */
const GAINED_BYTES_MAX = 1_000_000;

describe("the memory of an agent whose exports fail", () => {
  for (const fault of FAULTS.filter(({ name }) => ["is down", "floods", "says 503"].includes(name))) {
    it(`does not grow with them while the collector ${fault.name}`, LONG, async () => {
      const { samples, gainedBytes } = await liveHeapBeside(fault, EXPORTS);
      assert.ok(samples.length > 50 && (samples.at(-1)?.exports ?? 0) >= EXPORTS);
      assert.ok(gainedBytes < GAINED_BYTES_MAX, `${gainedBytes} bytes gained: ${JSON.stringify(samples)}`);
    });
  }
});
