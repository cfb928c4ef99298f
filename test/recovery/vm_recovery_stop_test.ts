/**
 * Desired `stopped` and `paused`, at every phase.
 * @module
 */

import type { Opening } from "./story.ts";
import { story } from "./story.ts";

const ON_FAILURE: Opening = { record: { restart: "on-failure" } };

story("a VM that is to be paused and died is blocked, since a start would run it", { record: { desired: "paused" } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["says paused", "paused", "", ""],
  [
    "die",
    "blocked:desired_paused",
    "",
    "monitoring_stopped orphan_detected:process_dead recovery_blocked:desired_paused",
  ],
  ["desire running", "orphaned", "start", ""],
]);

story("desired stopped is carried out on a healthy VM", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["desire stopped", "healthy", "stop", ""],
  ["stopping", "stopping", "", ""],
  ["miss socket", "stopping", "", ""],
  ["stopped", "stopped", "", "monitoring_stopped vm_stopped"],
  ["nothing", "stopped", "", ""],
]);

story("desired stopped is carried out on a suspected, a blocked and a paused VM", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["desire stopped", "suspect", "stop", ""],
  ["desire running", "suspect", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#2"],
  [
    "miss socket",
    "blocked:data_loss_not_allowed",
    "",
    "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable recovery_blocked:data_loss_not_allowed",
  ],
  ["miss socket", "blocked:data_loss_not_allowed", "", ""],
  ["desire stopped", "verifying", "stop", ""],
  ["stopping", "stopping", "", ""],
  ["stopped", "stopped", "", "monitoring_stopped vm_stopped"],
]);

story("a paused VM is stopped too", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["says paused", "paused", "", "vm_paused"],
  ["desire stopped", "paused", "stop", ""],
]);

story("a guest that ignores its stop is blocked, said once, and asked again at the rearm interval", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["desire stopped", "healthy", "stop", ""],
  ["stopping", "stopping", "", ""],
  ["stop blocked ignores_shutdown", "blocked:ignores_shutdown", "stop in 300s", "recovery_blocked:ignores_shutdown"],
  ["ok", "blocked:ignores_shutdown", "stop in 300s", ""],
  ["wait 5m", "blocked:ignores_shutdown", "stop", ""],
  ["stopping", "stopping", "", ""],
  ["stop blocked ignores_shutdown", "blocked:ignores_shutdown", "stop in 300s", ""],
  ["desire running", "verifying", "", ""],
  ["ok", "healthy", "", ""],
]);

story("a VM that is to be stopped and dies by itself is stopped", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["desire stopped", "healthy", "stop", ""],
  ["die 0", "stopped", "", "monitoring_stopped vm_stopped"],
]);

story("a stop that is called off leaves a VM that runs", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["desire stopped", "healthy", "stop", ""],
  ["stopping", "stopping", "", ""],
  ["desire running", "stopping", "", ""],
  ["stop abandoned", "verifying", "", ""],
  ["wait 1s", "verifying", "", ""],
  ["ok", "healthy", "", ""],
]);

story("an orphan that is to be stopped is stopped at once and without a start", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["desire stopped", "stopped", "", "vm_stopped"],
  ["wait 5m", "stopped", "", ""],
  ["desire running", "pending", "start", ""],
]);

story("a VM that waits, or whose breaker is open, is stopped at once", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  [
    "try 8",
    "backing_off",
    "start retry in 10s",
    "recovery_starting#1 recovery_attempting#1 recovery_failed:process_died",
  ],
  ["desire stopped", "stopped", "", "vm_stopped"],
  ["desire running", "pending", "start", ""],
  ["try 9", "backing_off", "start retry in 10s", "vm_starting#1 start_failed:process_died"],
  ["try 10", "backing_off", "start retry in 20s", "vm_starting#2 start_failed:process_died"],
  ["try 11", "failed", "start rearm in 300s", "vm_starting#3 start_failed:process_died recovery_exhausted"],
  ["desire stopped", "stopped", "", "vm_stopped"],
]);

story("a stop during an attempt ends it as abandoned, and what was launched is stopped", {}, [
  ["nothing", "pending", "start", ""],
  ["begin", "fencing", "", ""],
  ["attempt", "starting", "", "vm_starting#1"],
  ["launch 8", "verifying", "", ""],
  ["desire stopped", "verifying", "stop", ""],
  ["slow", "suspect", "stop", "monitoring_started"],
  ["stopping", "stopping", "", ""],
  ["stopped", "stopped", "", "monitoring_stopped start_failed:abandoned vm_stopped"],
]);

story("a stop while it is fenced starts nothing", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["desire stopped", "fencing", "", ""],
  ["abandoned", "stopped", "", ""],
]);

story("a stop of a VM without launch is an error with a remedy", { record: { launch: undefined } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["desire stopped", "blocked:no_launch", "", "recovery_blocked:no_launch"],
  ["ok", "blocked:no_launch", "", ""],
  ["wait 5m", "blocked:no_launch", "", ""],
]);

story("a VM to be stopped that never ran is stopped without a word", { record: { desired: "stopped" } }, [
  ["nothing", "stopped", "", ""],
]);

story("a VM to be stopped that somebody starts is adopted and stopped", { record: { desired: "stopped" } }, [
  ["nothing", "stopped", "", ""],
  ["find 7", "verifying", "stop", "vm_adopted monitoring_started"],
]);

story("a process that cannot be ended by a stop is unfenceable, and tried again", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["desire stopped", "healthy", "stop", ""],
  ["stopping", "stopping", "", ""],
  ["stop unfenceable", "unfenceable", "stop in 10s", "recovery_blocked:unfenceable"],
  ["wait 10s", "unfenceable", "stop", ""],
]);

story("a first look at a VM that is to be paused and does not run blocks it", { record: { desired: "paused" } }, [
  ["nothing", "blocked:desired_paused", "", "recovery_blocked:desired_paused"],
]);

story("a VM whose launch is taken away while it waits is blocked", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["write nolaunch", "blocked:no_launch", "", "recovery_blocked:no_launch"],
]);

story(
  "a guest that was asked to shut down and is wanted again has not ended by its own will when it goes",
  ON_FAILURE,
  [
    ["find 7", "verifying", "", "vm_adopted monitoring_started"],
    ["ok", "healthy", "", ""],
    ["desire stopped", "healthy", "stop", ""],
    ["stopping", "stopping", "", ""],
    ["ending", "stopping", "", ""],
    ["desire running", "stopping", "", ""],
    ["stop abandoned", "verifying", "", ""],
    ["ok", "healthy", "", ""],
    ["die 0", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ],
);

story("a stop that was called off is forgotten once the guest was well for long", ON_FAILURE, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["desire stopped", "healthy", "stop", ""],
  ["stopping", "stopping", "", ""],
  ["ending", "stopping", "", ""],
  ["desire running", "stopping", "", ""],
  ["stop abandoned", "verifying", "", ""],
  ["ok", "healthy", "", ""],
  ["wait 5m", "healthy", "", ""],
  ["ok", "healthy", "", ""],
  ["die 0", "stopped", "", "monitoring_stopped vm_exited:0"],
]);

story("an act that cannot fence ends nowhere else than at rest when the VM is not to run any more", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["desire stopped", "fencing", "", ""],
  ["unfenceable", "stopped", "", ""],
]);

story("an act that cannot fence leaves a VM blocked that is to be paused by now", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["desire paused", "fencing", "", ""],
  ["unfenceable", "blocked:desired_paused", "", "recovery_blocked:desired_paused"],
]);
