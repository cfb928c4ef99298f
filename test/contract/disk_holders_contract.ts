/**
 * What every examination of disks promises, real or simulated.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DiskHolders } from "../../src/ports/disk_holders.ts";

export interface DiskHoldersFixture {
  readonly diskHolders: DiskHolders;
  /** Makes a disk and returns its path. */
  makeDisk(): Promise<string>;
  /** A path at which nothing stands. */
  missingPath(): string;
  /** Starts a process that has the disk open until `close`. */
  hold(path: string, access: "read" | "write"): Promise<{ readonly pid: number; close(): Promise<void> }>;
  dispose(): Promise<void>;
}

const TIMEOUT_MS = 10_000;

export function diskHoldersContract(name: string, makeFixture: () => Promise<DiskHoldersFixture>): void {
  const contract = (rule: string, check: (fixture: DiskHoldersFixture) => Promise<void>) =>
    test(`${name}: ${rule}`, async () => {
      const fixture = await makeFixture();
      try {
        await check(fixture);
      } finally {
        await fixture.dispose();
      }
    });

  const holderPids = async ({ diskHolders }: DiskHoldersFixture, path: string, shared = false) => {
    const examination = await diskHolders.examine([{ path, shared }], TIMEOUT_MS);
    assert.equal(examination.kind, "examined", JSON.stringify(examination));
    return examination.kind === "examined" ? examination.holders.map((holder) => holder.pid) : [];
  };

  contract("no disks are held by nobody", async ({ diskHolders }) => {
    assert.deepEqual(await diskHolders.examine([], TIMEOUT_MS), { kind: "examined", holders: [], disks: [] });
  });

  contract("a writer is named, with the path by which it was asked for, until it closes", async (fixture) => {
    const path = await fixture.makeDisk();
    assert.deepEqual(await holderPids(fixture, path), []);
    const holder = await fixture.hold(path, "write");
    const examination = await fixture.diskHolders.examine([{ path, shared: false }], TIMEOUT_MS);
    assert.ok(examination.kind === "examined");
    assert.deepEqual(
      examination.holders.map((each) => [each.path, each.pid]),
      [[path, holder.pid]],
    );
    await holder.close();
    assert.deepEqual(await holderPids(fixture, path), []);
  });

  contract("a reader holds nothing", async (fixture) => {
    const path = await fixture.makeDisk();
    await fixture.hold(path, "read");
    assert.deepEqual(await holderPids(fixture, path), []);
  });

  contract("a shared disk may have writers", async (fixture) => {
    const path = await fixture.makeDisk();
    await fixture.hold(path, "write");
    assert.deepEqual(await holderPids(fixture, path, true), []);
  });

  contract("a writer of another disk holds that one only", async (fixture) => {
    const [path, other] = [await fixture.makeDisk(), await fixture.makeDisk()];
    await fixture.hold(other, "write");
    assert.deepEqual(await holderPids(fixture, path), []);
  });

  contract("a path at which nothing stands is unavailable, shared or not", async ({ diskHolders, ...fixture }) => {
    const path = fixture.missingPath();
    for (const shared of [false, true]) {
      const examination = await diskHolders.examine([{ path, shared }], TIMEOUT_MS);
      assert.ok(examination.kind === "unavailable");
      assert.equal(examination.path, path);
    }
  });
}
