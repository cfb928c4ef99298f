/**
 * What a VMM says of its guest: empty, shut down, paused, busy, migrated.
 * @module
 */

import { story } from "./story.ts";

story("an empty VMM of ours is proof after its second answer", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["says not_started", "suspect", "", ""],
  ["says not_started", "orphaned", "replace_empty", "orphan_detected:guest_not_running"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["attempt", "starting", "", "monitoring_stopped recovery_attempting#1"],
  ["launch 8", "verifying", "", ""],
  ["healthy", "healthy", "", "monitoring_started recovery_successful#1"],
]);

story("a panicked guest and an internal error are proof as well", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["says panicked", "suspect", "", ""],
  ["says internal_error", "orphaned", "replace_empty", "orphan_detected:guest_not_running"],
]);

story("an answer in between takes the first one back", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["says not_started", "suspect", "", ""],
  ["ok", "healthy", "", ""],
  ["says not_started", "suspect", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["says not_started", "suspect", "", ""],
  ["unknown", "suspect", "", "probe_unknown"],
  ["says not_started", "orphaned", "replace_empty", "orphan_detected:guest_not_running"],
]);

story("an empty VMM that somebody else launched may be empty on purpose", {}, [
  ["find 7 foreign", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["says not_started", "suspect", "", ""],
  ["says not_started", "blocked:foreign_vmm", "", "orphan_detected:guest_not_running recovery_blocked:foreign_vmm"],
  ["says not_started", "blocked:foreign_vmm", "", ""],
  ["ok", "healthy", "", "health_restored"],
]);

story("before start_grace an empty VMM is what one expects", {}, [
  ["nothing", "pending", "start", ""],
  ["begin", "fencing", "", ""],
  ["attempt", "starting", "", "vm_starting#1"],
  ["launch 8", "verifying", "", ""],
  ["slow", "suspect", "", "monitoring_started"],
  ["says not_started", "suspect", "", ""],
  ["says not_started", "suspect", "", ""],
  ["says not_started", "suspect", "", ""],
]);

story("a lease makes an empty VMM somebody's work", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["lease on", "healthy", "", ""],
  ["says not_started", "healthy", "", ""],
  ["says not_started", "healthy", "", ""],
  ["says not_started", "healthy", "", ""],
  ["lease off", "healthy", "", ""],
  ["says not_started", "suspect", "", ""],
  ["says not_started", "orphaned", "replace_empty", "orphan_detected:guest_not_running"],
]);

story("an empty VMM that is well at the last look is left alone", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["says not_started", "suspect", "", ""],
  ["says not_started", "orphaned", "replace_empty", "orphan_detected:guest_not_running"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["well", "suspect", "", ""],
  ["ok", "healthy", "", "health_restored"],
]);

story("an empty VMM that runs a guest again by itself is healthy again", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["says not_started", "suspect", "", ""],
  ["says not_started", "orphaned", "replace_empty", "orphan_detected:guest_not_running"],
  ["ok", "healthy", "", "health_restored"],
]);

story("an empty VMM that dies while it waits is started, and was announced once", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["says not_started", "suspect", "", ""],
  ["says not_started", "orphaned", "replace_empty", "orphan_detected:guest_not_running"],
  ["die", "orphaned", "start", "monitoring_stopped"],
]);

story("a guest that shut down is an exit with code 0: restart always", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["says shut_down", "suspect", "", ""],
  ["says shut_down", "orphaned", "replace_empty", "orphan_detected:guest_not_running"],
]);

story("a paused guest is somebody's work and is said once", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["says paused", "paused", "", "vm_paused"],
  ["says paused", "paused", "", ""],
  ["wait 1m", "paused", "", ""],
  ["says paused", "paused", "", ""],
  ["ok", "healthy", "", ""],
  ["says paused", "paused", "", "vm_paused"],
]);

story("a paused guest is silent where it is meant to be", { record: { desired: "paused" } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["says paused", "paused", "", ""],
  ["says paused", "paused", "", ""],
]);

story("a paused guest is silent while a lease is held", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["lease on", "healthy", "", ""],
  ["says paused", "paused", "", ""],
  ["ok", "healthy", "", ""],
  ["lease off", "healthy", "", ""],
]);

story("a guest stopped by its disk is an error and nothing is done", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["lease on", "healthy", "", ""],
  ["says io_error", "paused_io", "", "vm_paused"],
  ["says io_error", "paused_io", "", ""],
  ["ok", "healthy", "", ""],
]);

story("a busy VMM is unknown: its phase stays", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["says busy", "healthy", "", ""],
  ["says busy", "healthy", "", ""],
  ["says busy", "healthy", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["says busy", "suspect", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#2"],
  [
    "miss socket",
    "blocked:data_loss_not_allowed",
    "",
    "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable recovery_blocked:data_loss_not_allowed",
  ],
]);

story("the source of a finished migration is never started until its record changes", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["says migrated", "blocked:migrated", "", "recovery_blocked:migrated"],
  ["says migrated", "blocked:migrated", "", ""],
  ["die", "blocked:migrated", "", "monitoring_stopped orphan_detected:process_dead"],
  ["wait 10m", "blocked:migrated", "", ""],
  ["crash", "pending", "", ""],
  ["nothing", "blocked:migrated", "", "orphan_detected:process_dead recovery_blocked:migrated"],
  ["write priority", "orphaned", "start", ""],
]);

story("misses of a paused guest begin from nothing", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["miss socket", "suspect", "", "health_check_failed#2"],
  ["says paused", "paused", "", "vm_paused"],
  ["miss socket", "suspect", "", "health_check_failed#1"],
]);
