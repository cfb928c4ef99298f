/**
 * VMs that end by themselves, and what their restart policy makes of it.
 * @module
 */

import { story } from "./story.ts";

story(
  "a guest that shut down is an exit with code 0: restart on-failure leaves it",
  { record: { restart: "on-failure" } },
  [
    ["find 7", "verifying", "", "vm_adopted monitoring_started"],
    ["ok", "healthy", "", ""],
    ["says shut_down", "suspect", "", ""],
    ["says shut_down", "stopped", "", "vm_exited:0"],
    ["die 0", "stopped", "", "monitoring_stopped"],
    ["wait 5m", "stopped", "", ""],
  ],
);

story("restart on-failure leaves a VM that exited with 0", { record: { restart: "on-failure" } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die 0", "stopped", "", "monitoring_stopped vm_exited:0"],
  ["wait 10m", "stopped", "", ""],
  ["nothing", "stopped", "", ""],
  ["crash", "pending", "", ""],
  ["nothing", "stopped", "", ""],
  ["write priority", "pending", "start", ""],
]);

story("restart on-failure starts a VM that exited with 1", { record: { restart: "on-failure" } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die 1", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
]);

story("restart on-failure starts a VM whose exit code nobody knows", { record: { restart: "on-failure" } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die unknown", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
]);

story("restart never leaves a VM that ended, however it did", { record: { restart: "never" } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die 1", "stopped", "", "monitoring_stopped vm_exited:1"],
  ["wait 10m", "stopped", "", ""],
  ["find 8", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["die unknown", "stopped", "", "monitoring_stopped vm_exited:unknown"],
]);

story("restart never starts a VM that never ran", { record: { restart: "never" } }, [
  ["nothing", "pending", "start", ""],
  ["recover 8", "healthy", "", "vm_starting#1 monitoring_started vm_started#1"],
  ["die 0", "stopped", "", "monitoring_stopped vm_exited:0"],
]);
