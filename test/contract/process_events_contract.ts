/**
 * What every source of exit events promises while no event is lost.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProcessIdentity } from "../../src/domain/process.ts";
import type { ProcessEvents } from "../../src/ports/process_events.ts";

export interface ProcessEventsFixture {
  readonly events: ProcessEvents;
  /** Starts a process that lives until it is ended. */
  start(): Promise<ProcessIdentity>;
  /** Ends a process; resolves when the host shows it no longer, or as a zombie. */
  end(identity: ProcessIdentity): Promise<void>;
  /** Lets time pass until the condition holds; fails when it does not within a few seconds. */
  eventually(condition: () => Promise<boolean>): Promise<void>;
  /** Ends every process of the fixture. */
  dispose(): Promise<void>;
}

export function processEventsContract(name: string, makeFixture: () => Promise<ProcessEventsFixture>): void {
  const contract = (rule: string, check: (fixture: ProcessEventsFixture) => Promise<void>) =>
    test(`${name}: ${rule}`, async () => {
      const fixture = await makeFixture();
      try {
        await check(fixture);
      } finally {
        await fixture.dispose();
      }
    });

  contract("watch calls once when the process ends, and for no other process", async (fixture) => {
    const { events, start, end, eventually } = fixture;
    const [ended, other] = [await start(), await start()];
    const calls: string[] = [];
    const unwatch = [events.watch(ended, () => calls.push("ended")), events.watch(other, () => calls.push("other"))];
    await end(ended);
    await eventually(async () => calls.length > 0);
    assert.deepEqual(calls, ["ended"]);
    for (const each of unwatch) each();
  });

  contract("watch calls for a process that is dead already", async ({ events, start, end, eventually }) => {
    const identity = await start();
    await end(identity);
    let calls = 0;
    events.watch(identity, () => {
      calls += 1;
    });
    await eventually(async () => calls === 1);
  });

  contract("watch takes a pid that another process has now for dead", async ({ events, start, eventually }) => {
    const identity = await start();
    let calls = 0;
    events.watch({ ...identity, startTicks: identity.startTicks - 1 }, () => {
      calls += 1;
    });
    await eventually(async () => calls === 1);
  });

  contract("a watch that was ended never calls, and may be ended twice", async (fixture) => {
    const { events, start, end, eventually } = fixture;
    const identity = await start();
    const calls: string[] = [];
    const unwatch = events.watch(identity, () => calls.push("unwatched"));
    events.watch(identity, () => calls.push("watched"));
    unwatch();
    unwatch();
    await end(identity);
    await eventually(async () => calls.length > 0);
    assert.deepEqual(calls, ["watched"]);
  });
}
