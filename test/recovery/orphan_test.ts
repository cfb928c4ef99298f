/**
 * What evidence says, and what it permits.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BlockedReason } from "../../src/domain/event.ts";
import type { ProbeFailure } from "../../src/domain/probe_result.ts";
import type { RestartPolicy } from "../../src/domain/vm_record.ts";
import type { GuestState } from "../../src/domain/vmm.ts";
import type { ExitStatus } from "../../src/ports/launcher.ts";
import { forceForbiddenBy, isSuspicion, provesNoGuest, restartsAfter, suspicionOf } from "../../src/recovery/orphan.ts";

function failure(change: Partial<ProbeFailure>): ProbeFailure {
  const none = { kind: "failure", layer: "socket", error: "", apiSilent: false, failedGuestProbes: [] } as const;
  return { ...none, processState: "S", ...change };
}

const FORCE: readonly (readonly [
  why: string,
  failed: Partial<ProbeFailure>,
  allowed: boolean,
  BlockedReason | "may",
])[] = [
  ["a silent API alone", { apiSilent: true }, true, "second_signal_missing"],
  ["a failing guest probe alone", { layer: "guest", failedGuestProbes: ["tcp"] }, true, "second_signal_missing"],
  [
    "an API that answers wrongly and a failing guest probe",
    { layer: "api", failedGuestProbes: ["tcp"] },
    true,
    "second_signal_missing",
  ],
  [
    "the same guest probe failing twice",
    { layer: "guest", failedGuestProbes: ["tcp", "tcp"] },
    true,
    "second_signal_missing",
  ],
  ["a silent API and a failing guest probe", { apiSilent: true, failedGuestProbes: ["tcp"] }, true, "may"],
  [
    "the same pair where loss is not allowed",
    { apiSilent: true, failedGuestProbes: ["tcp"] },
    false,
    "data_loss_not_allowed",
  ],
  ["a stopped process (T) with a silent API", { apiSilent: true, processState: "T" }, true, "second_signal_missing"],
];

for (const [why, failed, allowed, verdict] of FORCE) {
  test(`force: ${why} -> ${verdict}`, () => {
    assert.equal(forceForbiddenBy(failure(failed), allowed) ?? "may", verdict);
  });
}

test("only the socket layer is unreachability; every other failure is a failed health check, and both are suspicions", () => {
  assert.equal(suspicionOf(failure({ layer: "socket" })), "socket_unreachable");
  assert.equal(suspicionOf(failure({ layer: "api" })), "health_check_failed");
  assert.equal(suspicionOf(failure({ layer: "guest" })), "health_check_failed");
  assert.ok(isSuspicion("socket_unreachable") && isSuspicion("health_check_failed"));
  for (const proof of ["process_dead", "process_mismatch", "guest_not_running"] as const) {
    assert.equal(isSuspicion(proof), false, proof);
  }
});

const EXITS: readonly (readonly [restart: RestartPolicy, exit: ExitStatus | undefined, restarts: boolean])[] = [
  ["always", { code: 0, signal: undefined }, true],
  ["always", undefined, true],
  ["on-failure", { code: 0, signal: undefined }, false],
  ["on-failure", { code: 1, signal: undefined }, true],
  ["on-failure", { code: undefined, signal: "SIGKILL" }, true],
  ["on-failure", undefined, true],
  ["never", { code: 1, signal: undefined }, false],
  ["never", undefined, false],
];

for (const [restart, exit, restarts] of EXITS) {
  const how = exit === undefined ? "an unknown end" : `the end ${exit.code ?? exit.signal}`;
  test(`restart ${restart} ${restarts ? "starts again" : "stays down"} after ${how}`, () => {
    assert.equal(restartsAfter(exit, restart), restarts);
  });
}

const GUEST_STATES: Readonly<Record<GuestState, boolean>> = {
  running: false,
  not_started: true,
  shut_down: true,
  panicked: true,
  internal_error: true,
  paused: false,
  io_error: false,
  migrated: false,
  busy: false,
};

for (const [state, proves] of Object.entries(GUEST_STATES)) {
  test(`a VMM that says ${state} ${proves ? "proves" : "does not prove"} that no guest runs`, () => {
    assert.equal(provesNoGuest(state as GuestState), proves);
  });
}
