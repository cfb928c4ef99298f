/**
 * What every runner of hooks promises, real or simulated.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { HookRequest, Hooks } from "../../src/ports/hooks.ts";

export type HookBehaviour =
  | { readonly kind: "succeeds" }
  /** Says `complaint` and ends with a code other than 0. */
  | { readonly kind: "fails"; readonly complaint: string }
  /** Does not end by itself. */
  | { readonly kind: "hangs" }
  | { readonly kind: "missing" };

export interface HooksFixture {
  readonly hooks: Hooks;
  argvOf(behaviour: HookBehaviour): readonly string[];
  /** Makes something and returns its path. A link points at a file of its own. */
  place(kind: "file" | "socket" | "directory" | "link"): Promise<string>;
  exists(path: string): Promise<boolean>;
  /** Processes of hooks of this fixture that live. */
  livingHooks(): Promise<number>;
  dispose(): Promise<void>;
}

export function hooksContract(name: string, makeFixture: () => Promise<HooksFixture>): void {
  const contract = (rule: string, check: (fixture: HooksFixture) => Promise<void>) =>
    test(`${name}: ${rule}`, async () => {
      const fixture = await makeFixture();
      try {
        await check(fixture);
      } finally {
        await fixture.dispose();
      }
    });

  const requestOf = (argv: readonly string[], timeoutMs: number): HookRequest => ({
    vmId: "vm-hooked",
    hook: "before_start",
    argv,
    timeoutMs,
  });

  contract("a hook that ends with 0 is done", async ({ hooks, argvOf }) => {
    assert.deepEqual(await hooks.run(requestOf(argvOf({ kind: "succeeds" }), 10_000)), { kind: "done" });
  });

  contract("a hook that fails says what it said, in one line", async ({ hooks, argvOf }) => {
    const outcome = await hooks.run(requestOf(argvOf({ kind: "fails", complaint: "no such bridge" }), 10_000));
    assert.ok(outcome.kind === "failed");
    assert.match(outcome.error, /no such bridge/);
    assert.doesNotMatch(outcome.error, /\n/);
  });

  contract("a hook that does not end is ended at its deadline, with all its processes", async (fixture) => {
    const outcome = await fixture.hooks.run(requestOf(fixture.argvOf({ kind: "hangs" }), 300));
    assert.equal(outcome.kind, "failed");
    assert.equal(await fixture.livingHooks(), 0);
  });

  contract("a hook that does not exist fails", async ({ hooks, argvOf }) => {
    assert.equal((await hooks.run(requestOf(argvOf({ kind: "missing" }), 10_000))).kind, "failed");
  });

  contract("removeLeftovers unlinks files and sockets, and minds not what is gone", async (fixture) => {
    const paths = [await fixture.place("file"), await fixture.place("socket")];
    assert.deepEqual(await fixture.hooks.removeLeftovers(paths), { kind: "done" });
    for (const path of paths) assert.equal(await fixture.exists(path), false);
    assert.deepEqual(await fixture.hooks.removeLeftovers(paths), { kind: "done" });
  });

  for (const kind of ["directory", "link"] as const) {
    contract(`removeLeftovers refuses a ${kind} by name`, async (fixture) => {
      const path = await fixture.place(kind);
      const outcome = await fixture.hooks.removeLeftovers([path]);
      assert.ok(outcome.kind === "failed");
      assert.ok(outcome.error.includes(path));
      assert.equal(await fixture.exists(path), true);
    });
  }
}
