/**
 * Processes that are neither one living main nor none: zombie leaders, duplicates.
 * @module
 */

import { story } from "./story.ts";

story(
  "a process that survives SIGKILL is unfenceable, and its death is proof as any other",
  { recovery: { allowDataLoss: true } },
  [
    ["find 7", "verifying", "", "vm_adopted monitoring_started"],
    ["ok", "healthy", "", ""],
    ["miss pair", "suspect", "", "health_check_failed#1"],
    ["miss pair", "suspect", "", "health_check_failed#2"],
    ["miss pair", "orphaned", "force", "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable"],
    ["begin", "fencing", "", "recovery_starting#1"],
    ["unfenceable", "unfenceable", "", "recovery_blocked:unfenceable"],
    ["wait 5m", "unfenceable", "", ""],
    ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
  ],
);

story("a zombie leader whose threads live is unfenceable, and dead once they are", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["zombie", "unfenceable", "", "recovery_blocked:unfenceable"],
  ["probe zombie", "unfenceable", "", ""],
  ["wait 1m", "unfenceable", "", ""],
  ["zombie", "unfenceable", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
]);

story("a zombie leader that is found first is watched and not started beside", {}, [
  ["zombie 7", "unfenceable", "", "vm_adopted monitoring_started recovery_blocked:unfenceable"],
]);

story("a process that is ordinary again after it was a zombie leader is judged by probes again", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["zombie", "unfenceable", "", "recovery_blocked:unfenceable"],
  ["again", "verifying", "", ""],
  ["ok", "healthy", "", ""],
]);

story("two mains are left alone, and one that is left is watched again", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["duplicate", "blocked:duplicate", "", "recovery_blocked:duplicate"],
  ["ok", "blocked:duplicate", "", ""],
  ["duplicate", "blocked:duplicate", "", ""],
  ["again", "verifying", "", ""],
  ["ok", "healthy", "", ""],
]);

story("two mains of a VM with suspicion are not forced", { recovery: { allowDataLoss: true } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["miss pair", "suspect", "", "health_check_failed#1"],
  ["miss pair", "suspect", "", "health_check_failed#2"],
  ["duplicate", "blocked:duplicate", "", "recovery_blocked:duplicate"],
  ["miss pair", "blocked:duplicate", "", "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable"],
  ["miss pair", "blocked:duplicate", "", ""],
]);

story("two mains found first block the start, and the one that is left is adopted", {}, [
  ["duplicate", "blocked:duplicate", "", "recovery_blocked:duplicate"],
  ["find 8", "verifying", "", "vm_adopted monitoring_started"],
]);

story("two mains that are both gone are a loss", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["duplicate", "blocked:duplicate", "", "recovery_blocked:duplicate"],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
]);

story("two mains found first that are both gone leave a VM to be started", {}, [
  ["duplicate", "blocked:duplicate", "", "recovery_blocked:duplicate"],
  ["nothing", "pending", "start", ""],
]);
