/**
 * What every clock promises, real or simulated.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { after } from "../../src/domain/time.ts";
import type { Clock } from "../../src/ports/clock.ts";

export interface ClockFixture {
  readonly clock: Clock;
  /** Lets time pass until the condition holds; fails when it does not within a few seconds of that clock. */
  eventually(condition: () => boolean): Promise<void>;
}

export function clockContract(name: string, makeFixture: () => Promise<ClockFixture>): void {
  test(`${name}: the monotonic clock counts up from the boot of the host`, async () => {
    const { clock, eventually } = await makeFixture();
    const before = clock.monotonic();
    assert.ok(before > 0);
    await eventually(() => clock.monotonic() > before);
  });

  test(`${name}: schedule calls once, and not before the instant`, async () => {
    const { clock, eventually } = await makeFixture();
    const at = after(clock.monotonic(), 20);
    const calledAt: number[] = [];
    clock.schedule(at, () => calledAt.push(clock.monotonic()));
    await eventually(() => clock.monotonic() > at + 30);
    assert.equal(calledAt.length, 1);
    assert.ok(calledAt.every((instant) => instant >= at));
  });

  test(`${name}: schedule keeps the order of instants, whatever the order of the calls`, async () => {
    const { clock, eventually } = await makeFixture();
    const now = clock.monotonic();
    const order: string[] = [];
    clock.schedule(after(now, 60), () => order.push("late"));
    clock.schedule(after(now, 10), () => order.push("early"));
    await eventually(() => order.length === 2);
    assert.deepEqual(order, ["early", "late"]);
  });

  test(`${name}: schedule of an instant that has passed calls soon, but not before it returns`, async () => {
    const { clock, eventually } = await makeFixture();
    let calls = 0;
    clock.schedule(after(clock.monotonic(), -5), () => {
      calls += 1;
    });
    assert.equal(calls, 0);
    await eventually(() => calls === 1);
  });

  test(`${name}: schedule never calls what was cancelled, and cancelling twice or late does no harm`, async () => {
    const { clock, eventually } = await makeFixture();
    const now = clock.monotonic();
    let cancelledCalls = 0;
    let calls = 0;
    const cancel = [after(now, -1), after(now, 10)].map((at) =>
      clock.schedule(at, () => {
        cancelledCalls += 1;
      }),
    );
    const cancelLate = clock.schedule(after(now, 30), () => {
      calls += 1;
    });
    for (const each of [...cancel, ...cancel]) each();
    await eventually(() => calls === 1);
    cancelLate();
    assert.equal(cancelledCalls, 0);
  });
}
