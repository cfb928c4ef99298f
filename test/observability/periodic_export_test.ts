import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Export, startPeriodicExport } from "../../src/observability/periodic_export.ts";
import { waitFor } from "../host/wait.ts";

type Limits = Parameters<Export["run"]>[0];

/** An export whose runs end when they are told to, or when they are cut off. */
function controlled(intervalMs: number) {
  const runs: { readonly limits: Limits; readonly end: () => void }[] = [];
  let underWay = 0;
  let most = 0;
  const run = (limits: Limits) =>
    new Promise<void>((resolve) => {
      underWay += 1;
      most = Math.max(most, underWay);
      const end = () => {
        underWay -= 1;
        resolve();
      };
      limits.signal.addEventListener("abort", end, { once: true });
      runs.push({ limits, end });
    });
  return { each: { intervalMs, timeoutMs: 10_000, run }, runs, most: () => most };
}

describe("exporting at an interval", () => {
  it("begins no export while one is under way, and goes on after it", async () => {
    const { each, runs, most } = controlled(1);
    const exporter = startPeriodicExport(each, 0);
    await waitFor("the first export runs", () => runs.length === 1);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(runs.length, 1);
    runs[0]?.end();
    await waitFor("the second export runs", () => runs.length === 2);
    const stopped = exporter.stop(20);
    await waitFor("the last export runs", () => runs.length === 3);
    runs[2]?.end();
    await stopped;
    assert.equal(most(), 1);
  });

  it("lets what is under way end before it exports a last time", async () => {
    const { each, runs } = controlled(1);
    const exporter = startPeriodicExport(each, 0);
    await waitFor("the first export runs", () => runs.length === 1);
    const stopped = exporter.stop(60_000);
    assert.equal(runs[0]?.limits.signal.aborted, false);
    runs[0].end();
    await waitFor("the last export runs", () => runs.length === 2);
    assert.ok((runs[1]?.limits.timeoutMs ?? Number.POSITIVE_INFINITY) <= 10_000);
    runs[1]?.end();
    await stopped;
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(runs.length, 2);
  });

  it("exports once at the end even if it never did before", async () => {
    const { each, runs } = controlled(60_000);
    const stopped = startPeriodicExport(each, 60_000).stop(60_000);
    await waitFor("the last export runs", () => runs.length === 1);
    runs[0]?.end();
    await stopped;
  });

  it("goes on after an export that was rejected", async () => {
    let runs = 0;
    const run = async () => {
      runs += 1;
      throw new Error("a bug");
    };
    const exporter = startPeriodicExport({ intervalMs: 1, timeoutMs: 10_000, run }, 0);
    await waitFor("there is a third export", () => runs >= 3);
    await exporter.stop(10_000);
  });

  it("leaves behind what hangs for longer than the stop may take, and exports nothing beside it", async () => {
    let runs = 0;
    const run = () => {
      runs += 1;
      return new Promise<void>(() => undefined);
    };
    const exporter = startPeriodicExport({ intervalMs: 1, timeoutMs: 10_000, run }, 0);
    await waitFor("the first export runs", () => runs === 1);
    await exporter.stop(50);
    assert.equal(runs, 1);
    await startPeriodicExport({ intervalMs: 60_000, timeoutMs: 10_000, run }, 60_000).stop(50);
    assert.equal(runs, 2);
  });
});
