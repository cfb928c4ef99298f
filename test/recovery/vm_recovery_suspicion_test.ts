/**
 * Probes that fail: what waits for the threshold, what permits force, and what only blocks.
 * @module
 */

import { story } from "./story.ts";

story("one missed probe is a suspicion that the next success takes back", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["miss socket", "suspect", "", "health_check_failed#2"],
  ["ok", "healthy", "", ""],
]);

story("at the threshold a VM is unhealthy, and blocked since loss is not allowed; probes that succeed end that", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["miss socket", "suspect", "", "health_check_failed#2"],
  [
    "miss socket",
    "blocked:data_loss_not_allowed",
    "",
    "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable recovery_blocked:data_loss_not_allowed",
  ],
  ["miss socket", "blocked:data_loss_not_allowed", "", ""],
  ["ok", "blocked:data_loss_not_allowed", "", ""],
  ["miss api", "blocked:data_loss_not_allowed", "", ""],
  ["ok", "blocked:data_loss_not_allowed", "", ""],
  ["ok", "healthy", "", "health_restored"],
]);

story("a probe that could not run neither counts nor resets, and is said once per change", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["miss socket", "suspect", "", "health_check_failed#2"],
  ["unknown EMFILE", "suspect", "", "probe_unknown"],
  ["unknown EMFILE", "suspect", "", ""],
  ["unknown EACCES", "suspect", "", "probe_unknown"],
  [
    "miss socket",
    "blocked:data_loss_not_allowed",
    "",
    "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable recovery_blocked:data_loss_not_allowed",
  ],
]);

story("a probe of another process says nothing about this one", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["stranger", "healthy", "", ""],
  ["stranger", "healthy", "", ""],
  ["stranger", "healthy", "", ""],
]);

story("a new process starts with a clean sheet", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["miss socket", "suspect", "", "health_check_failed#2"],
  ["find 8 olddead", "verifying", "", "monitoring_stopped vm_adopted monitoring_started"],
  ["miss socket", "suspect", "", "health_check_failed#1"],
]);

story(
  "a second signal is missing where the API alone is silent, although loss is allowed",
  { recovery: { allowDataLoss: true } },
  [
    ["find 7", "verifying", "", "vm_adopted monitoring_started"],
    ["ok", "healthy", "", ""],
    ["miss socket", "suspect", "", "health_check_failed#1"],
    ["miss socket", "suspect", "", "health_check_failed#2"],
    [
      "miss socket",
      "blocked:second_signal_missing",
      "",
      "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable recovery_blocked:second_signal_missing",
    ],
  ],
);

story(
  "a guest probe that fails alone permits no force, although loss is allowed",
  { recovery: { allowDataLoss: true } },
  [
    ["find 7", "verifying", "", "vm_adopted monitoring_started"],
    ["ok", "healthy", "", ""],
    ["miss guest", "suspect", "", "health_check_failed#1"],
    ["miss guest", "suspect", "", "health_check_failed#2"],
    [
      "miss guest",
      "blocked:second_signal_missing",
      "",
      "health_check_failed#3 marked_unhealthy orphan_detected:health_check_failed recovery_blocked:second_signal_missing",
    ],
  ],
);

story(
  "a silent API and a failing guest probe together permit force where loss is allowed",
  { recovery: { allowDataLoss: true } },
  [
    ["find 7", "verifying", "", "vm_adopted monitoring_started"],
    ["ok", "healthy", "", ""],
    ["miss pair", "suspect", "", "health_check_failed#1"],
    ["miss pair", "suspect", "", "health_check_failed#2"],
    ["miss pair", "orphaned", "force", "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable"],
    ["begin", "fencing", "", "recovery_starting#1"],
    ["attempt", "starting", "", "monitoring_stopped recovery_attempting#1"],
    ["launch 8", "verifying", "", ""],
    ["healthy", "healthy", "", "monitoring_started recovery_successful#1"],
  ],
);

story("the second signal may come after the verdict", { recovery: { allowDataLoss: true } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["miss socket", "suspect", "", "health_check_failed#2"],
  [
    "miss socket",
    "blocked:second_signal_missing",
    "",
    "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable recovery_blocked:second_signal_missing",
  ],
  ["miss pair", "orphaned", "force", ""],
]);

story("the same pair permits nothing where loss is not allowed, until the record allows it", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["miss pair", "suspect", "", "health_check_failed#1"],
  ["miss pair", "suspect", "", "health_check_failed#2"],
  [
    "miss pair",
    "blocked:data_loss_not_allowed",
    "",
    "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable recovery_blocked:data_loss_not_allowed",
  ],
  ["write loss", "blocked:data_loss_not_allowed", "", ""],
  ["miss pair", "orphaned", "force", ""],
]);

story("while the brake is engaged there is no force, and afterwards there is", { recovery: { allowDataLoss: true } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["brake on", "healthy", "", ""],
  ["miss pair", "suspect", "", "health_check_failed#1"],
  ["miss pair", "suspect", "", "health_check_failed#2"],
  ["miss pair", "orphaned", "", "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable"],
  ["brake off", "orphaned", "force", ""],
]);

story("a brake that engages during the act lets the VM wait", { recovery: { allowDataLoss: true } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["miss pair", "suspect", "", "health_check_failed#1"],
  ["miss pair", "suspect", "", "health_check_failed#2"],
  ["miss pair", "orphaned", "force", "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable"],
  ["begin", "fencing", "", "recovery_starting#1"],
  ["brake on", "fencing", "", ""],
  ["abandoned", "orphaned", "", ""],
  ["wait 1m", "orphaned", "", ""],
  ["brake off", "orphaned", "force", ""],
]);

story("proof recovers although the brake is engaged", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["brake on", "healthy", "", ""],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
]);

story(
  "a VM that is well at the last look before force keeps its process, and needs the usual successes",
  { recovery: { allowDataLoss: true } },
  [
    ["find 7", "verifying", "", "vm_adopted monitoring_started"],
    ["ok", "healthy", "", ""],
    ["miss pair", "suspect", "", "health_check_failed#1"],
    ["miss pair", "suspect", "", "health_check_failed#2"],
    ["miss pair", "orphaned", "force", "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable"],
    ["begin", "fencing", "", "recovery_starting#1"],
    ["well", "suspect", "", ""],
    ["ok", "suspect", "", ""],
    ["ok", "healthy", "", "health_restored"],
  ],
);

story(
  "force that found no forced stop left waits for its recheck, whatever the probes say meanwhile",
  { recovery: { allowDataLoss: true } },
  [
    ["find 7", "verifying", "", "vm_adopted monitoring_started"],
    ["ok", "healthy", "", ""],
    ["miss pair", "suspect", "", "health_check_failed#1"],
    ["miss pair", "suspect", "", "health_check_failed#2"],
    ["miss pair", "orphaned", "force", "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable"],
    ["begin", "fencing", "", "recovery_starting#1"],
    [
      "blocked forced_stops_exhausted",
      "blocked:forced_stops_exhausted",
      "force in 10s",
      "recovery_blocked:forced_stops_exhausted",
    ],
    ["miss pair", "blocked:forced_stops_exhausted", "force in 10s", ""],
    ["wait 10s", "blocked:forced_stops_exhausted", "force", ""],
  ],
);

story(
  "a process in uninterruptible sleep is unfenceable and not tried by the clock; a success ends it",
  { recovery: { allowDataLoss: true } },
  [
    ["find 7", "verifying", "", "vm_adopted monitoring_started"],
    ["ok", "healthy", "", ""],
    ["miss pair", "suspect", "", "health_check_failed#1"],
    ["miss pair", "suspect", "", "health_check_failed#2"],
    [
      "miss pair D",
      "unfenceable",
      "",
      "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable recovery_blocked:unfenceable",
    ],
    ["wait 5m", "unfenceable", "", ""],
    ["miss pair D", "unfenceable", "", ""],
    ["ok", "unfenceable", "", ""],
    ["ok", "healthy", "", "health_restored"],
  ],
);

story(
  "a suspicion about a VM that is to be paused only blocks",
  { record: { desired: "paused" }, recovery: { allowDataLoss: true } },
  [
    ["find 7", "verifying", "", "vm_adopted monitoring_started"],
    ["ok", "healthy", "", ""],
    ["miss pair", "suspect", "", "health_check_failed#1"],
    ["miss pair", "suspect", "", "health_check_failed#2"],
    [
      "miss pair",
      "blocked:desired_paused",
      "",
      "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable recovery_blocked:desired_paused",
    ],
  ],
);

story(
  "a suspicion about a VM without launch only blocks",
  { record: { launch: undefined }, recovery: { allowDataLoss: true } },
  [
    ["find 7", "verifying", "", "vm_adopted monitoring_started"],
    ["ok", "healthy", "", ""],
    ["miss pair", "suspect", "", "health_check_failed#1"],
    ["miss pair", "suspect", "", "health_check_failed#2"],
    [
      "miss pair",
      "blocked:no_launch",
      "",
      "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable recovery_blocked:no_launch",
    ],
  ],
);

story("a suspected VM that dies is an orphan by proof", {}, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["miss socket", "suspect", "", "health_check_failed#1"],
  ["miss socket", "suspect", "", "health_check_failed#2"],
  [
    "miss socket",
    "blocked:data_loss_not_allowed",
    "",
    "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable recovery_blocked:data_loss_not_allowed",
  ],
  ["die", "orphaned", "start", "monitoring_stopped orphan_detected:process_dead"],
]);

story("while it is held nothing is wanted, and probes go on", { recovery: { allowDataLoss: true } }, [
  ["find 7", "verifying", "", "vm_adopted monitoring_started"],
  ["ok", "healthy", "", ""],
  ["hold on", "healthy", "", ""],
  ["miss pair", "suspect", "", "health_check_failed#1"],
  ["miss pair", "suspect", "", "health_check_failed#2"],
  ["miss pair", "orphaned", "", "health_check_failed#3 marked_unhealthy orphan_detected:socket_unreachable"],
  ["die", "orphaned", "", "monitoring_stopped orphan_detected:process_dead"],
  ["hold off", "orphaned", "start", ""],
]);
