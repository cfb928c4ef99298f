/**
 * Holds and leases: what keeps the agent's hands off a VM, and until when.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { wallMs } from "../../src/domain/time.ts";
import type { Hold, IntentEntry, Lease, MalformedIntent } from "../../src/ports/intent.ts";
import { FirstReadings, judgeHolding, readingKey } from "../../src/recovery/holding.ts";
import { FakeClock } from "../async/fake_clock.ts";
import { identityOf } from "./examples.ts";

/** Reads the same files again and again while two clocks go their ways. */
class Desk {
  readonly clock = new FakeClock();
  readonly readings = new FirstReadings();

  /** An instant of the wall clock as it stands now. */
  wallIn(ms: number) {
    return wallMs(this.clock.wall() + ms);
  }

  judge(entries: readonly IntentEntry[], isHolderGone: (lease: Lease) => boolean = () => false) {
    const now = { monotonic: this.clock.monotonic(), wall: this.clock.wall() };
    return judgeHolding("vm-1", entries, isHolderGone, this.readings, now);
  }

  isHeld(...entries: readonly IntentEntry[]): boolean {
    return this.judge(entries).held;
  }

  hold(change: Partial<Hold> = {}): Hold {
    const writtenAt = wallMs(1_000);
    return {
      kind: "hold",
      vmId: "vm-1",
      reason: "disk swap",
      actor: "anna",
      expiresAt: undefined,
      writtenAt,
      ...change,
    };
  }

  lease(change: Partial<Lease> = {}): Lease {
    const expiresAt = this.wallIn(60_000);
    return { kind: "lease", vmId: "vm-1", op: "snapshot", expiresAt, holder: undefined, fingerprint: "f1", ...change };
  }
}

const MALFORMED: MalformedIntent = { kind: "malformed", vmId: "vm-1", path: "/holds/vm-1.json", error: "no JSON" };

test("nothing is held where nobody asks", () => {
  assert.deepEqual(new Desk().judge([]), {
    held: false,
    leased: false,
    reason: undefined,
    actor: undefined,
    expiresAt: undefined,
    writtenAt: undefined,
  });
});

test("a hold without an expiry holds for ever, and says why and who", () => {
  const desk = new Desk();
  desk.clock.advance(1e12);
  const { held, leased, reason, actor } = desk.judge([desk.hold()]);
  assert.deepEqual({ held, leased, reason, actor }, { held: true, leased: false, reason: "disk swap", actor: "anna" });
});

test("a hold of every VM holds this one, and a hold of another VM does not", () => {
  const desk = new Desk();
  assert.equal(desk.isHeld(desk.hold({ vmId: undefined })), true);
  assert.equal(desk.isHeld(desk.hold({ vmId: "vm-2" })), false);
});

test("a lease holds, and is told from a hold", () => {
  const desk = new Desk();
  const { held, leased, reason } = desk.judge([desk.lease()]);
  assert.deepEqual({ held, leased, reason }, { held: true, leased: true, reason: "snapshot" });
});

test("a hold that comes first does not hide a lease", () => {
  const desk = new Desk();
  const { leased, reason } = desk.judge([desk.hold(), desk.lease()]);
  assert.deepEqual({ leased, reason }, { leased: true, reason: "disk swap" });
});

test("a file that does not parse counts as held", () => {
  const { held, leased, reason } = new Desk().judge([MALFORMED]);
  assert.deepEqual({ held, leased, reason }, { held: true, leased: false, reason: "cannot read /holds/vm-1.json" });
});

for (const what of ["hold", "lease"] as const) {
  const entryOf = (desk: Desk, expiresInMs: number): IntentEntry =>
    what === "hold"
      ? desk.hold({ expiresAt: desk.wallIn(expiresInMs) })
      : desk.lease({ expiresAt: desk.wallIn(expiresInMs) });

  test(`a ${what} ends at its expiry and not before`, () => {
    const desk = new Desk();
    const entry = entryOf(desk, 60_000);
    assert.equal(desk.isHeld(entry), true);
    desk.clock.advance(59_999);
    assert.equal(desk.isHeld(entry), true);
    desk.clock.advance(1);
    assert.equal(desk.isHeld(entry), false);
  });

  test(`a ${what} that has expired when it is first read is void`, () => {
    const desk = new Desk();
    assert.equal(desk.isHeld(entryOf(desk, -1)), false);
  });

  test(`a wall clock that jumps ahead does not end a ${what} early`, () => {
    const desk = new Desk();
    const entry = entryOf(desk, 60_000);
    assert.equal(desk.isHeld(entry), true);
    desk.clock.jumpWall(86_400_000);
    assert.equal(desk.isHeld(entry), true);
    desk.clock.advance(60_000);
    assert.equal(desk.isHeld(entry), false);
  });

  test(`a wall clock that jumps back does not make a ${what} longer`, () => {
    const desk = new Desk();
    const entry = entryOf(desk, 60_000);
    assert.equal(desk.isHeld(entry), true);
    desk.clock.jumpWall(-86_400_000);
    desk.clock.advance(60_000);
    assert.equal(desk.isHeld(entry), false);
  });
}

test("a lease that is written anew is measured anew", () => {
  const desk = new Desk();
  const first = desk.lease();
  assert.equal(desk.isHeld(first), true);
  desk.clock.advance(60_000);
  assert.equal(desk.isHeld(first), false);
  assert.equal(desk.isHeld(desk.lease({ fingerprint: "f2", expiresAt: desk.wallIn(10_000) })), true);
});

test("a lease is void once its holder is gone, and one without a holder is not", () => {
  const desk = new Desk();
  const ofProcess = desk.lease({ holder: identityOf(7) });
  assert.equal(desk.judge([ofProcess], () => false).held, true);
  assert.equal(desk.judge([ofProcess], () => true).held, false);
  assert.equal(desk.judge([desk.lease({ fingerprint: "f3" })], () => true).held, true);
});

test("one void entry does not lift another that stands", () => {
  const desk = new Desk();
  assert.equal(desk.isHeld(desk.hold({ expiresAt: desk.wallIn(-1) }), MALFORMED), true);
});

test("keepOnly() forgets readings of files that are gone, and keeps the others", () => {
  const desk = new Desk();
  const kept = desk.lease();
  const forgotten = desk.hold({ expiresAt: desk.wallIn(60_000) });
  assert.equal(desk.isHeld(kept, forgotten), true);
  const key = readingKey(kept);
  desk.readings.keepOnly(new Set(key === undefined ? [] : [key]));
  desk.clock.jumpWall(-30_000);
  desk.clock.advance(60_000);
  assert.equal(desk.isHeld(kept), false);
  // Read as for the first time: by the wall clock, 30 s are left.
  assert.equal(desk.isHeld(forgotten), true);
});

test("readingKey() tells files with an expiry apart, and has none for those without", () => {
  const desk = new Desk();
  const keys = [
    desk.lease(),
    desk.lease({ fingerprint: "f2" }),
    desk.lease({ vmId: "vm-2" }),
    desk.hold({ expiresAt: wallMs(9) }),
    desk.hold({ expiresAt: wallMs(10) }),
    desk.hold({ expiresAt: wallMs(9), vmId: undefined }),
  ].map(readingKey);
  assert.equal(new Set(keys).size, keys.length);
  assert.deepEqual([desk.hold(), MALFORMED].map(readingKey), [undefined, undefined]);
});
