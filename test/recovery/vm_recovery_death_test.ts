/**
 * The loss of a VM's process, the attempts that follow, and the starts that are no recovery.
 * @module
 */

import { story } from "./story.ts";

story("a VM whose process dies is an orphan at once, and recovered only when it is seen healthy", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["attempt", "starting", "", "recovery_attempting#1"],
  ["launch 8", "verifying", "", ""],
  ["healthy", "healthy", "", "monitoring_started recovery_successful#1"],
  ["ok", "healthy", "", ""],
  ["die", "backing_off", "start retry in 10s", "monitoring_stopped orphan_detected:process_dead"],
]);

story("a VM that never ran since the host booted is pending, and its start is no recovery", {}, [
  ["nothing", "pending", "start", ""],
  ["begin", "fencing", "", ""],
  ["attempt", "starting", "", "vm_starting#1"],
  ["launch 8", "verifying", "", ""],
  ["healthy", "healthy", "", "monitoring_started vm_started#1"],
]);

story("what is left of a VM says that it ran, so its absence is a loss", {}, [
  ["nothing remnants", "orphaned", "start", "orphan_detected:process_dead"],
]);

story("a VM that dies right after each recovery backs off, since attempts are not forgiven before stable_after", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["recover 8", "healthy", "", "recovery_starting#1 recovery_attempting#1 monitoring_started recovery_successful#1"],
  ["die", "backing_off", "start retry in 10s", "monitoring_stopped orphan_detected:process_dead"],
  ["recover 9", "healthy", "", "recovery_starting#2 recovery_attempting#2 monitoring_started recovery_successful#2"],
  ["wait 4m", "healthy", "", ""],
  ["ok", "healthy", "", ""],
  ["die", "backing_off", "start retry in 20s", "monitoring_stopped orphan_detected:process_dead"],
  ["recover 10", "healthy", "", "recovery_starting#3 recovery_attempting#3 monitoring_started recovery_successful#3"],
  ["die", "failed", "start rearm in 300s", "monitoring_stopped orphan_detected:process_dead recovery_exhausted"],
]);

story("attempts are forgiven once the VM was healthy for stable_after without a break", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["recover 8", "healthy", "", "recovery_starting#1 recovery_attempting#1 monitoring_started recovery_successful#1"],
  ["wait 4m", "healthy", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["ok", "healthy", "", ""],
  ["wait 4m", "healthy", "", ""],
  ["ok", "healthy", "", ""],
  ["wait 1m", "healthy", "", ""],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
]);

story(
  "a breaker opens after max_retries, tries again at each rearm_interval for ever, and a healthy VM closes it",
  {},
  [
    ["find 7", "verifying", "", "vm_adopted monitoring_started"],
    ["ok", "healthy", "", ""],
    ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
    [
      "try 8",
      "backing_off",
      "start retry in 10s",
      "recovery_starting#1 recovery_attempting#1 recovery_failed:process_died",
    ],
    ["wait 10s", "backing_off", "start retry", ""],
    [
      "try 9",
      "backing_off",
      "start retry in 20s",
      "recovery_starting#2 recovery_attempting#2 recovery_failed:process_died",
    ],
    ["wait 20s", "backing_off", "start retry", ""],
    [
      "try 10",
      "failed",
      "start rearm in 300s",
      "recovery_starting#3 recovery_attempting#3 recovery_failed:process_died recovery_exhausted",
    ],
    ["wait 5m", "failed", "start rearm", ""],
    [
      "try 11",
      "failed",
      "start rearm in 300s",
      "recovery_starting#4 recovery_attempting#4 recovery_failed:process_died recovery_exhausted",
    ],
    ["wait 5m", "failed", "start rearm", ""],
    ["recover 12", "healthy", "", "recovery_starting#5 recovery_attempting#5 monitoring_started recovery_successful#5"],
  ],
);

story("a record that changes is tried at once though the breaker was open", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  [
    "try 8",
    "backing_off",
    "start retry in 10s",
    "recovery_starting#1 recovery_attempting#1 recovery_failed:process_died",
  ],
  [
    "try 9",
    "backing_off",
    "start retry in 20s",
    "recovery_starting#2 recovery_attempting#2 recovery_failed:process_died",
  ],
  [
    "try 10",
    "failed",
    "start rearm in 300s",
    "recovery_starting#3 recovery_attempting#3 recovery_failed:process_died recovery_exhausted",
  ],
  ["write launch", "orphaned", "start", ""],
  ["begin", "fencing", "", "recovery_starting#1"],
]);

story("a VM that died is not announced twice, whoever looks again", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["nothing", "orphaned", "start", ""],
  ["die", "orphaned", "start", ""],
  ["probe dead", "orphaned", "start", ""],
  [
    "try 8",
    "backing_off",
    "start retry in 10s",
    "recovery_starting#1 recovery_attempting#1 recovery_failed:process_died",
  ],
  ["wait 4s", "backing_off", "start retry in 6s", ""],
  ["nothing", "backing_off", "start retry in 6s", ""],
]);

story("what an act could not do is said once per reason, and the VM waits for its recheck", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["blocked disk_in_use", "blocked:disk_in_use", "start in 10s", "recovery_blocked:disk_in_use"],
  ["wait 10s", "blocked:disk_in_use", "start", ""],
  ["begin", "fencing", "", ""],
  ["blocked disk_in_use", "blocked:disk_in_use", "start in 10s", ""],
  ["wait 10s", "blocked:disk_in_use", "start", ""],
  ["begin", "fencing", "", ""],
  ["blocked disk_unavailable", "blocked:disk_unavailable", "start in 10s", "recovery_blocked:disk_unavailable"],
  ["wait 10s", "blocked:disk_unavailable", "start", ""],
  ["recover 8", "healthy", "", "recovery_attempting#1 monitoring_started recovery_successful#1"],
]);

story("an act that was called off before an attempt waits a second, and counts nothing", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["abandoned", "orphaned", "start in 1s", ""],
  ["wait 1s", "orphaned", "start", ""],
  ["begin", "fencing", "", ""],
]);

story("an attempt that was called off keeps its number for the next", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["attempt", "starting", "", "recovery_attempting#1"],
  ["fails abandoned", "orphaned", "start in 1s", "recovery_failed:abandoned"],
  ["wait 1s", "orphaned", "start", ""],
  ["begin", "fencing", "", ""],
  ["attempt", "starting", "", "recovery_attempting#1"],
]);

story("a socket that somebody else serves is a mismatch, and nothing starts while it does", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die served", "orphaned", "start", "monitoring_stopped orphan_detected:process_mismatch"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["blocked socket_in_use", "blocked:socket_in_use", "start in 10s", "recovery_blocked:socket_in_use"],
]);

story("a VM without launch is watched, and never started", { record: { launch: undefined } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  [
    "die unknown",
    "blocked:no_launch",
    "",
    "monitoring_stopped orphan_detected:process_dead recovery_blocked:no_launch",
  ],
  ["wait 5m", "blocked:no_launch", "", ""],
  ["nothing", "blocked:no_launch", "", ""],
]);

story("a VM without launch that nobody started is blocked once", { record: { launch: undefined } }, [
  ["nothing", "blocked:no_launch", "", "recovery_blocked:no_launch"],
]);

story("a start that another agent or person made meanwhile is found and adopted", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["attempt", "starting", "", "recovery_attempting#1"],
  ["found 9", "verifying", "", "recovery_failed:abandoned vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
]);

story("a process that appears while the VM waits is adopted as it is", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  [
    "try 8",
    "backing_off",
    "start retry in 10s",
    "recovery_starting#1 recovery_attempting#1 recovery_failed:process_died",
  ],
  ["find 9 foreign", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
]);

story("a VM that runs with another launch than its record's says so once, and is left alone", {}, [
  ["find 7 otherlaunch", "verifying", "", "vm_adopted monitoring_started vm_record_differs"],
  ["ok", "healthy", "", ""],
  ["write launch", "healthy", "", "vm_record_differs"],
  ["write priority", "healthy", "", ""],
  ["ok", "healthy", "", ""],
]);

story("with recovery disabled everything is seen and nothing is done", { recovery: { enabled: false } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "", "monitoring_stopped orphan_detected:process_dead"],
  ["wait 5m", "orphaned", "", ""],
]);
