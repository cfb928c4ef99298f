/**
 * Starts that are not seen healthy before `start_timeout`: their attempt stays open, and has exactly one end.
 * @module
 */

import { story } from "./story.ts";

story("a booting VM is not judged by its probes", {}, [
  ["nothing", "pending", "start", ""],
  ["begin", "fencing", "", ""],
  ["attempt", "starting", "", "vm_starting#1"],
  ["launch 8", "verifying", "", ""],
  ["slow", "suspect", "", "monitoring_started"],
  ["wait 10s", "suspect", "", ""],
  ["miss socket", "suspect", "", ""],
  ["miss socket", "suspect", "", ""],
  ["miss socket", "suspect", "", ""],
  ["miss socket", "suspect", "", ""],
]);

story("a slow start keeps its attempt open, and the first success ends it as one", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["attempt", "starting", "", "recovery_attempting#1"],
  ["launch 8", "verifying", "", ""],
  ["wait 30s", "verifying", "", ""],
  ["slow", "suspect", "", "monitoring_started"],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["ok", "healthy", "", "recovery_successful#1"],
  ["ok", "healthy", "", ""],
]);

story("a slow start that dies is one failed attempt", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["attempt", "starting", "", "recovery_attempting#1"],
  ["launch 8", "verifying", "", ""],
  ["wait 30s", "verifying", "", ""],
  ["slow", "suspect", "", "monitoring_started"],
  ["die", "backing_off", "start retry in 10s", "monitoring_stopped recovery_failed:process_died"],
]);

story("a slow start that hangs is suspected, and never fenced by default", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["attempt", "starting", "", "recovery_attempting#1"],
  ["launch 8", "verifying", "", ""],
  ["wait 30s", "verifying", "", ""],
  ["slow", "suspect", "", "monitoring_started"],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["miss socket", "suspect", "", "health_check_failed#2"],
  [
    "miss socket",
    "blocked:data_loss_not_allowed",
    "",
    "health_check_failed#3 marked_unhealthy recovery_blocked:data_loss_not_allowed",
  ],
  ["wait 10m", "blocked:data_loss_not_allowed", "", ""],
  ["ok", "blocked:data_loss_not_allowed", "", ""],
  ["ok", "healthy", "", "health_restored recovery_successful#1"],
]);

story(
  "a slow first start that hangs is forced where the pair permits it, and its attempt ends before the next begins",
  { recovery: { allowDataLoss: true } },
  [
    ["nothing", "pending", "start", ""],
    ["begin", "fencing", "", ""],
    ["attempt", "starting", "", "vm_starting#1"],
    ["launch 8", "verifying", "", ""],
    ["wait 30s", "verifying", "", ""],
    ["slow", "suspect", "", "monitoring_started"],
    ["miss pair", "suspect", "", "health_check_failed#1"],
    ["miss pair", "suspect", "", "health_check_failed#2"],
    [
      "miss pair",
      "backing_off",
      "force retry in 10s",
      "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable start_failed:timeout",
    ],
    ["begin", "fencing", "", "recovery_starting#2"],
    ["attempt", "starting", "", "monitoring_stopped recovery_attempting#2"],
    ["launch 9", "verifying", "", ""],
    ["healthy", "healthy", "", "monitoring_started recovery_successful#2"],
  ],
);

story("an empty VMM after a slow start fails the attempt, and is replaced after the wait", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["attempt", "starting", "", "recovery_attempting#1"],
  ["launch 8", "verifying", "", ""],
  ["wait 30s", "verifying", "", ""],
  ["slow", "suspect", "", "monitoring_started"],
  ["says not_started", "suspect", "", ""],
  ["says not_started", "backing_off", "replace_empty retry in 10s", "recovery_failed:guest_not_running"],
  ["says not_started", "backing_off", "replace_empty retry in 10s", ""],
  ["wait 10s", "backing_off", "replace_empty retry", ""],
  ["begin", "fencing", "", "recovery_starting#2"],
  ["attempt", "starting", "", "monitoring_stopped recovery_attempting#2"],
  ["launch 9", "verifying", "", ""],
  ["healthy", "healthy", "", "monitoring_started recovery_successful#2"],
]);
