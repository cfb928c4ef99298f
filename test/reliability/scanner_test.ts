/**
 * Who shares a scan, and that it never began before the question.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { monotonicMs } from "../../src/domain/time.ts";
import type { ProcessScan, ProcessTable } from "../../src/ports/process_table.ts";
import { Scanner } from "../../src/reliability/scanner.ts";
import { FakeClock } from "../async/fake_clock.ts";
import { BOOT_ID } from "../recovery/examples.ts";

/** A process table whose scans end when they are told to; the number of a scan stands in `startedAt`. */
class SlowTable implements ProcessTable {
  readonly bootId = BOOT_ID;
  readonly #ends: (() => void)[] = [];
  readonly #fails: ((error: Error) => void)[] = [];

  get begun(): number {
    return this.#ends.length;
  }

  scan(): Promise<ProcessScan> {
    const number = this.begun + 1;
    return new Promise((resolve, reject) => {
      this.#ends.push(() => resolve({ kind: "scanned", startedAt: monotonicMs(number), processes: [] }));
      this.#fails.push(reject);
    });
  }

  end(number: number): void {
    this.#ends[number - 1]?.();
  }

  fail(number: number): void {
    this.#fails[number - 1]?.(new Error("no"));
  }

  describe = async () => undefined;
  inspect = async () => ({ kind: "dead" }) as const;
  signal = async () => ({ kind: "gone" }) as const;
  sleepsIn = async () => undefined;
}

function numberOf(scan: ProcessScan): number {
  return scan.kind === "scanned" ? scan.startedAt : Number.NaN;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

test("whoever asks while a scan is under way gets the next one, and all of them the same", async () => {
  const table = new SlowTable();
  const scanner = new Scanner(new FakeClock(), table);
  const first = scanner.scan();
  const late = [scanner.scan(), scanner.scan(), scanner.scan()];
  assert.equal(table.begun, 1);
  table.end(1);
  assert.equal(numberOf(await first), 1);
  await settle();
  assert.equal(table.begun, 2);
  table.end(2);
  assert.deepEqual((await Promise.all(late)).map(numberOf), [2, 2, 2]);
});

test("whoever asks after the next one has begun gets the one after that", async () => {
  const table = new SlowTable();
  const scanner = new Scanner(new FakeClock(), table);
  const first = scanner.scan();
  const second = scanner.scan();
  table.end(1);
  await first;
  await settle();
  const third = scanner.scan();
  table.end(2);
  assert.equal(numberOf(await second), 2);
  await settle();
  table.end(3);
  assert.equal(numberOf(await third), 3);
});

test("an idle scanner begins at once", async () => {
  const table = new SlowTable();
  const scanner = new Scanner(new FakeClock(), table);
  const first = scanner.scan();
  table.end(1);
  await first;
  await settle();
  const second = scanner.scan();
  assert.equal(table.begun, 2);
  table.end(2);
  assert.equal(numberOf(await second), 2);
});

test("a scan that fails fails those who share it, and not those who asked later", async () => {
  const table = new SlowTable();
  const scanner = new Scanner(new FakeClock(), table);
  const first = scanner.scan();
  const second = scanner.scan();
  table.fail(1);
  await assert.rejects(first, /no/);
  await settle();
  table.end(2);
  assert.equal(numberOf(await second), 2);
});
