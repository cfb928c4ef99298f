/**
 * What is to be done for a VM, by its state alone.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { OrphanReason, VmPhase } from "../../src/domain/event.ts";
import { VM_PHASES } from "../../src/domain/event.ts";
import { after } from "../../src/domain/time.ts";
import type { Main, Phase } from "../../src/recovery/vm.ts";
import { workWanted } from "../../src/recovery/work_wanted.ts";
import { Story, wantedOf } from "./story.ts";

/** A VM in a phase since now; what waits for an instant waits for 10 s. */
function inPhase(name: VmPhase, change: { main?: boolean; foreign?: boolean; reason?: OrphanReason } = {}): Story {
  const story = new Story();
  const since = story.now;
  const dueAt = after(since, 10_000);
  const phases: Partial<Record<VmPhase, Phase>> = {
    pending: { name: "pending", since, looked: true },
    backing_off: { name: "backing_off", since, retryAt: dueAt },
    failed: { name: "failed", since, retryAt: dueAt },
    blocked: { name: "blocked", since, reason: "disk_in_use", recheckAt: dueAt },
    unfenceable: { name: "unfenceable", since, recheckAt: dueAt },
  };
  const phase = phases[name] ?? ({ name, since } as Phase);
  const main: Main | undefined =
    change.main === true ? story.mainOf(7, { launchedByUs: change.foreign !== true }) : undefined;
  const loss = change.reason === undefined ? undefined : { reason: change.reason, at: since, proven: true };
  story.vm = { ...story.vm, phase, main, loss };
  return story;
}

const WITHOUT_MAIN: Readonly<Record<VmPhase, string>> = {
  pending: "start",
  orphaned: "start",
  backing_off: "start in 10s",
  failed: "start in 10s",
  blocked: "start in 10s",
  unfenceable: "start in 10s",
  fencing: "",
  starting: "",
  verifying: "",
  healthy: "",
  suspect: "",
  stopped: "start",
  stopping: "",
  paused: "",
  paused_io: "",
};

const FORCED: Partial<Record<VmPhase, string>> = {
  orphaned: "force",
  backing_off: "force in 10s",
  failed: "force in 10s",
  blocked: "force in 10s",
};

const EMPTY: Partial<Record<VmPhase, string>> = {
  orphaned: "replace_empty",
  backing_off: "replace_empty in 10s",
  failed: "replace_empty in 10s",
  blocked: "replace_empty in 10s",
  unfenceable: "replace_empty in 10s",
};

const STOPPED: Partial<Record<VmPhase, string>> = {
  blocked: "stop in 10s",
  unfenceable: "stop in 10s",
  ...Object.fromEntries(
    ["orphaned", "backing_off", "failed", "verifying", "healthy", "suspect", "paused", "paused_io"].map((phase) => [
      phase,
      "stop",
    ]),
  ),
};

for (const phase of VM_PHASES) {
  test(`${phase}, nothing of it lives: ${WITHOUT_MAIN[phase] || "nothing"} is wanted`, () => {
    assert.equal(wantedOf(inPhase(phase, { reason: "process_dead" })), WITHOUT_MAIN[phase]);
  });

  // The phases of a VM with a main; in the first no process has been looked for.
  if (phase === "pending") continue;

  test(`${phase} under suspicion: ${FORCED[phase] ?? "nothing"} is wanted, and nothing under the brake`, () => {
    const story = inPhase(phase, { main: true, reason: "socket_unreachable" });
    assert.equal(wantedOf(story), FORCED[phase] ?? "");
    story.braked = true;
    assert.equal(wantedOf(story), "");
  });

  test(`${phase} with an empty VMM: ${EMPTY[phase] ?? "nothing"} is wanted, and nothing if others launched it`, () => {
    assert.equal(wantedOf(inPhase(phase, { main: true, reason: "guest_not_running" })), EMPTY[phase] ?? "");
    assert.equal(wantedOf(inPhase(phase, { main: true, foreign: true, reason: "guest_not_running" })), "");
  });

  test(`${phase} with a main and desired stopped: ${STOPPED[phase] ?? "nothing"} is wanted`, () => {
    const story = inPhase(phase, { main: true });
    story.record = { ...story.record, desired: "stopped" };
    assert.equal(wantedOf(story), STOPPED[phase] ?? "");
  });

  test(`${phase}: nothing is wanted for the held, the paused, the disabled and those without launch`, () => {
    for (const reason of ["process_dead", "socket_unreachable", "guest_not_running"] as const) {
      const story = inPhase(phase, { main: reason !== "process_dead", reason });
      const { situation } = story;
      for (const forbids of [
        { held: true },
        { recovery: { ...situation.recovery, enabled: false } },
        { record: { ...situation.record, launch: undefined } },
        { record: { ...situation.record, desired: "paused" as const } },
      ]) {
        assert.equal(workWanted(story.vm, { ...situation, ...forbids }), undefined, Object.keys(forbids).join());
      }
    }
  });
}

test("a VM at which nobody has looked is not started", () => {
  assert.equal(wantedOf(new Story()), "");
});

test("two mains are neither stopped nor forced", () => {
  const story = inPhase("blocked", { main: true, reason: "socket_unreachable" });
  story.vm = { ...story.vm, phase: { name: "blocked", since: story.now, reason: "duplicate", recheckAt: undefined } };
  assert.equal(wantedOf(story), "");
  story.record = { ...story.record, desired: "stopped" };
  assert.equal(wantedOf(story), "");
});

test("what is blocked without a recheck waits for news", () => {
  const story = inPhase("blocked");
  story.vm = { ...story.vm, phase: { name: "blocked", since: story.now, reason: "no_launch", recheckAt: undefined } };
  assert.equal(wantedOf(story), "");
});

const CLASSES: readonly (readonly [attempts: number, wanted: string])[] = [
  [0, "start"],
  [1, "start retry"],
  [2, "start retry"],
  [3, "start rearm"],
  [30, "start rearm"],
];

for (const [attempts, wanted] of CLASSES) {
  test(`after ${attempts} attempts of at most 3, a VM is admitted as ${wanted}`, () => {
    const story = inPhase("orphaned");
    story.vm = { ...story.vm, attempts };
    assert.equal(wantedOf(story), wanted);
  });
}

test("an act that found its intent withdrawn is not wanted before its pause is over", () => {
  const story = inPhase("orphaned");
  story.vm = { ...story.vm, notBefore: after(story.now, 1_000) };
  assert.equal(wantedOf(story), "start in 1s");
});
