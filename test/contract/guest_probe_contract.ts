/**
 * What every `GuestProbe` must do, real or simulated: called with a fixture, it registers the tests.
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TcpGuestProbe } from "../../src/domain/vm_record.ts";
import type { GuestProbe } from "../../src/ports/guest_probe.ts";

/** What the guest does with a connection. */
export type GuestConduct = "accepts" | "refuses" | "drops";

export interface GuestProbeFixture {
  readonly probe: GuestProbe;
  readonly target: TcpGuestProbe;
  behave(conduct: GuestConduct): Promise<void>;
  /** Waits for what the probe promised; a simulated host lets its clock run meanwhile. */
  settle<T>(promise: Promise<T>): Promise<T>;
  end(): Promise<void>;
}

export interface GuestProbeSubject {
  readonly name: string;
  /** A guest that accepts. */
  open(): Promise<GuestProbeFixture>;
  readonly cannot?: readonly GuestConduct[];
}

const PATIENT_MS = 10_000;
const IMPATIENT_MS = 300;

const EXPECTED: readonly (readonly [GuestConduct, "success" | "failure", number])[] = [
  ["accepts", "success", PATIENT_MS],
  ["refuses", "failure", PATIENT_MS],
  ["drops", "failure", IMPATIENT_MS],
];

export function guestProbeContract({ name, open, cannot = [] }: GuestProbeSubject): void {
  describe(`GuestProbe contract: ${name}`, () => {
    for (const [conduct, expected, timeoutMs] of EXPECTED) {
      if (cannot.includes(conduct)) continue;

      it(`tcp() is a ${expected} with a guest that ${conduct} connections`, async () => {
        const fixture = await open();
        try {
          await fixture.behave(conduct);
          const result = await fixture.settle(fixture.probe.tcp(fixture.target, timeoutMs));
          assert.equal(result.kind, expected, JSON.stringify(result));
        } finally {
          await fixture.end();
        }
      });
    }
  });
}
