/**
 * Ways out: states in which a VM once stayed for ever, or an attempt without an end, each as the shortest story that led there.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Opening } from "./story.ts";
import { Story, see, wantedOf } from "./story.ts";

function wayOut(
  name: string,
  opening: Opening,
  sights: readonly string[],
  check: (story: Story, said: (type: string) => number) => void,
) {
  test(name, () => {
    const story = new Story(opening);
    for (const sight of sights) see(story, sight);
    check(story, (type) => story.events.filter((e) => e.type === type).length);
  });
}
const LOSS: Opening = { recovery: { allowDataLoss: true } };
const SLOW = ["find 7", "ok", "die", "begin", "attempt", "launch 8", "wait 30s", "slow"];

wayOut(
  "a slow start of a recovery that hangs is forced where the pair permits it",
  LOSS,
  [...SLOW, "miss pair", "miss pair", "miss pair", "wait 10m", "miss pair"],
  (s) => assert.match(wantedOf(s), /^force/),
);
wayOut(
  "a foreign VMM that said it was empty and then hangs is forced where the pair permits it",
  LOSS,
  [
    "find 7 foreign",
    "ok",
    "says not_started",
    "says not_started",
    "miss pair",
    "miss pair",
    "miss pair",
    "wait 10m",
    "miss pair",
  ],
  (s) => assert.match(wantedOf(s), /^force/),
);
wayOut(
  "an empty VMM of ours that was silent for a while is still replaced once it says again that it is empty",
  {},
  [
    "find 7",
    "ok",
    "says not_started",
    "says not_started",
    "miss socket",
    "miss socket",
    "miss socket",
    "says not_started",
    "says not_started",
    "wait 30m",
    "says not_started",
    "says not_started",
  ],
  (s) => assert.match(wantedOf(s), /^replace_empty/),
);
wayOut(
  "two mains are not touched because their record says stopped",
  {},
  ["find 7", "ok", "duplicate", "desire stopped"],
  (s) => assert.equal(wantedOf(s), ""),
);
wayOut(
  "two mains stay blocked when another part of the record changes",
  {},
  ["find 7", "ok", "duplicate", "write priority"],
  (s) => assert.equal(s.vm.phase.name, "blocked"),
);
wayOut(
  "a record that is repaired while the re-arm attempt is under way is tried at once",
  {},
  [
    "find 7",
    "ok",
    "die",
    "try 8",
    "try 9",
    "try 10",
    "wait 5m",
    "begin",
    "attempt",
    "write launch",
    "fails abandoned",
    "wait 1s",
  ],
  (s) => assert.equal(wantedOf(s), "start"),
);
wayOut(
  "a record that is repaired while the re-arm attempt is verified is tried at once",
  {},
  [
    "find 7",
    "ok",
    "die",
    "try 8",
    "try 9",
    "try 10",
    "wait 5m",
    "begin",
    "attempt",
    "launch 9",
    "write launch",
    "fails process_died",
    "wait 1s",
  ],
  (s) => assert.equal(wantedOf(s), "start"),
);
wayOut(
  "restart never starts once, also if its process ended before it was seen healthy",
  { record: { restart: "never" } },
  ["nothing", "begin", "attempt", "launch 8", "fails process_died", "wait 10s"],
  (s) => assert.equal(wantedOf(s), ""),
);
wayOut(
  "a guest that stays paused after its lease has ended is said",
  {},
  ["find 7", "ok", "lease on", "says paused", "lease off", "says paused"],
  (_, said) => assert.equal(said("vm_paused"), 1),
);
wayOut(
  "a guest that stays paused though it is to run is said",
  { record: { desired: "paused" } },
  ["find 7", "says paused", "desire running", "says paused"],
  (_, said) => assert.equal(said("vm_paused"), 1),
);
wayOut(
  "an empty VMM whose replacement waits is stopped when its record says so",
  {},
  ["find 7", "ok", "die", "recover 8", "wait 1m", "says not_started", "says not_started", "desire stopped"],
  (s) => {
    assert.notEqual(s.vm.main, undefined);
    assert.equal(wantedOf(s), "stop");
  },
);
wayOut(
  "one missed probe does not put off the re-arm of an empty VMM",
  { recovery: { maxRetries: 1 } },
  [
    "nothing",
    "begin",
    "attempt",
    "launch 8",
    "wait 30s",
    "slow",
    "says not_started",
    "says not_started",
    "wait 4m",
    "miss socket",
    "says not_started",
    "says not_started",
  ],
  (s) => assert.match(wantedOf(s), /in 60s$/),
);
wayOut("an attempt whose VM is found as another process has an end", {}, [...SLOW, "find 9 foreign", "ok"], (_, said) =>
  assert.equal(said("attempt_failed") + said("recovery_successful"), 1),
);
wayOut(
  "an attempt of an earlier agent whose VM is found as another process has an end",
  {},
  [...SLOW, "crash", "find 9 foreign", "ok"],
  (_, said) => assert.equal(said("attempt_failed") + said("recovery_successful"), 1),
);
wayOut(
  "a wrapper that ends after a slow start does not fail the attempt of the VMM it started",
  {},
  [...SLOW, "find 9 olddead", "ok"],
  (_, said) => assert.equal(said("recovery_successful"), 1),
);
wayOut(
  "a VMM left as exited whose guest was booted again is watched again",
  { record: { restart: "on-failure" } },
  ["find 7", "ok", "says shut_down", "says shut_down", "ok", "ok", "again", "ok"],
  (s) => assert.equal(s.vm.phase.name, "healthy"),
);
wayOut(
  "a VMM that our own act ended is started again, whatever its exit code",
  { record: { restart: "on-failure" } },
  ["find 7", "ok", "says panicked", "says panicked", "begin", "ending", "abandoned", "die 0", "wait 1s"],
  (s) => assert.match(wantedOf(s), /^start/),
);
wayOut(
  "an unhealthy VM that was paused in between is said to be restored",
  {},
  ["find 7", "ok", "miss socket", "miss socket", "miss socket", "says paused", "ok", "ok"],
  (_, said) => assert.equal(said("health_restored"), 1),
);
wayOut(
  "a failed first start is labelled as the start it was announced as",
  LOSS,
  ["nothing", "begin", "attempt", "launch 8", "wait 30s", "slow", "miss pair", "miss pair", "miss pair"],
  (s) => {
    const e = s.events.find((x) => x.type === "attempt_failed");
    assert.equal(e?.type === "attempt_failed" && e.recovery, false);
  },
);

wayOut(
  "a record that changes while its VM is being fenced begins the count of attempts anew, as it does at any other time",
  {},
  ["find 7", "ok", "die", "try 8", "try 9", "try 10", "wait 10m", "begin", "write launch", "abandoned"],
  (s) => {
    assert.equal(s.vm.attempts, 0);
    assert.match(wantedOf(s), /^start/);
  },
);
wayOut(
  "without health checks a verdict is dropped, and no health is called restored",
  { health: { enabled: false } },
  ["find 7", "ok", "miss socket", "miss socket", "miss socket", "ok", "ok"],
  (s, said) => {
    assert.equal(s.vm.phase.name, "healthy");
    assert.equal(said("health_restored"), 0);
  },
);
wayOut(
  "a zombie leader is named by its pid, as somebody has to look at its tasks",
  {},
  ["find 7", "ok", "zombie"],
  (s) => assert.match(s.vm.why ?? "", /^pid 7 has ended, 2 other tasks/),
);

wayOut(
  "a VM whose first start was refused has not run, so the next agent finds no orphan",
  {},
  ["nothing", "begin", "attempt", "fails launch_refused", "crash", "nothing"],
  (s, said) => {
    assert.equal(said("orphan_detected"), 0);
    assert.match(wantedOf(s), /^start/);
  },
);
wayOut(
  "a VM that is to stay exited says why it does not run",
  { record: { restart: "on-failure" } },
  ["find 7", "ok", "die 0"],
  (s) => assert.match(s.vm.why ?? "", /^it ended with exit code 0, and restart is on-failure$/),
);
wayOut(
  "a guest that ignored a stop and answers again is told to be well, though it stays blocked",
  {},
  [
    ...["find 7", "ok", "miss socket", "miss socket", "miss socket", "desire stopped", "stopping"],
    ...["stop blocked ignores_shutdown", "miss socket", "ok", "ok"],
  ],
  (s, said) => {
    assert.equal(said("health_restored"), 1);
    assert.equal(s.vm.phase.name, "blocked");
    assert.equal(s.vm.why, "asked 90 s ago");
  },
);

wayOut(
  "a VM that is blocked is so since the first look that found it so, however often it is looked at again",
  {},
  [
    ...["find 7", "ok", "die", "begin", "blocked disk_in_use"],
    ...["wait 10s", "begin", "blocked disk_in_use", "wait 10s", "begin", "blocked disk_in_use"],
  ],
  (s, said) => {
    assert.equal(s.now - s.vm.phase.since, 20_000);
    assert.equal(said("recovery_blocked"), 1);
  },
);
wayOut(
  "a VM that is blocked for another reason is so since that",
  {},
  ["find 7", "ok", "die", "begin", "blocked disk_in_use", "wait 10s", "begin", "blocked unproven"],
  (s) => assert.equal(s.now - s.vm.phase.since, 0),
);
