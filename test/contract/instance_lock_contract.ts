/**
 * What every instance lock promises, real or simulated.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstanceLock } from "../../src/ports/instance_lock.ts";

export interface InstanceLockFixture {
  /** The lock of one more agent on the registry that all of them share. */
  another(): InstanceLock;
  /** The lock of an agent on a registry of its own. */
  elsewhere(): InstanceLock;
  dispose(): Promise<void>;
}

export function instanceLockContract(name: string, makeFixture: () => Promise<InstanceLockFixture>): void {
  const contract = (rule: string, check: (fixture: InstanceLockFixture) => Promise<void>) =>
    test(`${name}: ${rule}`, async () => {
      const fixture = await makeFixture();
      try {
        await check(fixture);
      } finally {
        await fixture.dispose();
      }
    });

  contract("of two agents on one registry one gets it, and the other is told that it is held", async ({ another }) => {
    const first = await another().acquire();
    assert.ok(first.kind === "acquired", JSON.stringify(first));
    const second = await another().acquire();
    assert.ok(second.kind === "held_by_another");
    assert.notEqual(second.detail, "");
    first.release();
  });

  contract("a released lock is free, and releasing it twice frees nobody else's", async ({ another }) => {
    const first = await another().acquire();
    assert.ok(first.kind === "acquired");
    first.release();
    const second = await another().acquire();
    assert.ok(second.kind === "acquired");
    first.release();
    assert.equal((await another().acquire()).kind, "held_by_another");
    second.release();
  });

  contract("agents on different registries do not meet", async ({ another, elsewhere }) => {
    const outcomes = [await another().acquire(), await elsewhere().acquire()];
    for (const outcome of outcomes) {
      assert.ok(outcome.kind === "acquired");
      outcome.release();
    }
  });

  contract("of many that try again and again never two hold it", async ({ another }) => {
    let holders = 0;
    let turns = 0;
    const contend = async (): Promise<void> => {
      while (turns < 40) {
        const outcome = await another().acquire();
        if (outcome.kind === "acquired") {
          holders += 1;
          turns += 1;
          assert.equal(holders, 1);
          await Promise.resolve();
          holders -= 1;
          outcome.release();
        } else assert.equal(outcome.kind, "held_by_another");
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await Promise.all([contend(), contend(), contend()]);
  });
}
