/**
 * What every `Vmm` must do, real or simulated: called with a fixture, it registers the tests.
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GuestState } from "../../src/domain/vmm.ts";
import type { SocketState, Vmm, VmmAnswer, VmmTarget } from "../../src/ports/vmm.ts";

/** What the VMM behind the socket does. */
export type VmmConduct =
  | { readonly kind: "says"; readonly guest: GuestState }
  /** Accepts and never answers. */
  | { readonly kind: "hangs" }
  /** Begins an answer and does not finish it before any deadline of this suite. */
  | { readonly kind: "drips" }
  /** Accepts and hangs up. */
  | { readonly kind: "closes" }
  | { readonly kind: "garbage" }
  /** An error where an answer is due. */
  | { readonly kind: "error" }
  /** More bytes than anybody wants. */
  | { readonly kind: "floods" }
  /** Killed: the socket file is still there. */
  | { readonly kind: "killed" }
  /** Killed, and the socket file removed. */
  | { readonly kind: "removed" };

export interface VmmFixture {
  readonly vmm: Vmm;
  readonly target: VmmTarget;
  behave(conduct: VmmConduct): Promise<void>;
  /** Waits for what the Vmm promised; a simulated host lets its clock run meanwhile. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Whether the guest was asked to shut down since the fixture was opened. */
  wasAskedToShutDown(): Promise<boolean>;
  end(): Promise<void>;
}

export interface VmmSubject {
  /** Of the subject, for the tests' names. */
  readonly name: string;
  /** A VMM whose guest runs and takes no notice of a request to shut down. */
  open(): Promise<VmmFixture>;
  /** The states and misbehaviours that the subject cannot be brought to. */
  readonly cannot?: readonly (GuestState | VmmConduct["kind"])[];
}

/** Long enough for a loaded machine to answer, short enough to wait for silence. */
const PATIENT_MS = 10_000;
const IMPATIENT_MS = 300;
const TEST_TIMEOUT_MS = 60_000;

const GUEST_STATES: readonly GuestState[] = ["running", "not_started", "paused", "shut_down", "busy"];

const MISCONDUCT: readonly {
  readonly of: string;
  readonly conduct: VmmConduct;
  readonly answer: "silent" | "wrong";
  readonly timeoutMs: number;
  readonly socket: SocketState;
}[] = [
  { of: "a VMM that hangs", conduct: { kind: "hangs" }, answer: "silent", timeoutMs: IMPATIENT_MS, socket: "accepts" },
  { of: "a killed VMM", conduct: { kind: "killed" }, answer: "silent", timeoutMs: PATIENT_MS, socket: "refuses" },
  {
    of: "a killed VMM whose socket was removed",
    conduct: { kind: "removed" },
    answer: "silent",
    timeoutMs: PATIENT_MS,
    socket: "missing",
  },
  { of: "a VMM that drips", conduct: { kind: "drips" }, answer: "wrong", timeoutMs: 1000, socket: "accepts" },
  { of: "a VMM that hangs up", conduct: { kind: "closes" }, answer: "wrong", timeoutMs: PATIENT_MS, socket: "accepts" },
  {
    of: "a VMM that sends garbage",
    conduct: { kind: "garbage" },
    answer: "wrong",
    timeoutMs: PATIENT_MS,
    socket: "accepts",
  },
  {
    of: "a VMM that answers with an error",
    conduct: { kind: "error" },
    answer: "wrong",
    timeoutMs: PATIENT_MS,
    socket: "accepts",
  },
  { of: "a VMM that floods", conduct: { kind: "floods" }, answer: "wrong", timeoutMs: PATIENT_MS, socket: "accepts" },
];

export function vmmContract({ name, open, cannot = [] }: VmmSubject): void {
  const test = (title: string, body: (fixture: VmmFixture) => Promise<void>): void => {
    it(title, { timeout: TEST_TIMEOUT_MS }, async () => {
      const fixture = await open();
      try {
        await body(fixture);
      } finally {
        await fixture.end();
      }
    });
  };
  const query = ({ vmm, target, settle }: VmmFixture, timeoutMs: number): Promise<VmmAnswer> =>
    settle(vmm.query(target, timeoutMs));

  describe(`Vmm contract: ${name}`, () => {
    for (const guest of GUEST_STATES.filter((state) => !cannot.includes(state))) {
      test(`query() tells that the guest is ${guest}, with the VMM's own word for it`, async (fixture) => {
        await fixture.behave({ kind: "says", guest });
        const answer = await query(fixture, PATIENT_MS);
        assert.equal(answer.kind, "state", JSON.stringify(answer));
        assert.ok(answer.kind === "state" && answer.guest === guest && answer.raw !== "", JSON.stringify(answer));
      });
    }

    for (const { of, conduct, answer: expected, timeoutMs, socket } of MISCONDUCT) {
      if (cannot.includes(conduct.kind)) continue;

      test(`query() calls ${of} ${expected}, in one short line`, async (fixture) => {
        await fixture.behave(conduct);
        const answer = await query(fixture, timeoutMs);
        assert.ok(answer.kind === expected, JSON.stringify(answer));
        assert.match(answer.error, /^[\x20-\x7e\u00a1-\uffff]{1,400}$/);
      });

      test(`socketState() says ${socket} of ${of}`, async (fixture) => {
        await fixture.behave(conduct);
        assert.equal(await fixture.settle(fixture.vmm.socketState(fixture.target.socket, PATIENT_MS)), socket);
      });

      test(`shutdown() admits that it did not ask the guest of ${of}`, async (fixture) => {
        await fixture.behave(conduct);
        const request = await fixture.settle(fixture.vmm.shutdown(fixture.target, timeoutMs));
        assert.equal(request.kind, "not_asked");
      });
    }

    if (!cannot.includes("hangs")) {
      test("query() believes a VMM again that answers after it hung", async (fixture) => {
        await fixture.behave({ kind: "hangs" });
        assert.equal((await query(fixture, IMPATIENT_MS)).kind, "silent");
        await fixture.behave({ kind: "says", guest: "running" });
        assert.equal((await query(fixture, PATIENT_MS)).kind, "state");
      });
    }

    test("shutdown() asks the guest, which may ignore it", async (fixture) => {
      assert.equal(await fixture.wasAskedToShutDown(), false);
      assert.deepEqual(await fixture.settle(fixture.vmm.shutdown(fixture.target, PATIENT_MS)), { kind: "asked" });
      assert.equal(await fixture.wasAskedToShutDown(), true);
    });

    test("socketState() says accepts of a VMM that serves its socket", async (fixture) => {
      assert.equal(await fixture.settle(fixture.vmm.socketState(fixture.target.socket, PATIENT_MS)), "accepts");
    });
  });
}
