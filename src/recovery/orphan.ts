/**
 * What a piece of evidence says, and what it permits.
 *
 * Proof acts, suspicion waits. Proof is a fact about processes, or the VMM's own word that no guest runs. Suspicion is a probe that
 * failed: the firewall, the network or a busy guest may be the cause, so it never touches a living VMM unless the operator allowed
 * loss for that VM *and* a second, independent signal agrees.
 *
 * Pure.
 * @module
 */

import type { BlockedReason, OrphanReason } from "../domain/event.ts";
import type { ProbeFailure } from "../domain/probe_result.ts";
import type { RestartPolicy } from "../domain/vm_record.ts";
import type { GuestState } from "../domain/vmm.ts";
import type { ExitStatus } from "../ports/launcher.ts";

export function suspicionOf(failure: ProbeFailure): OrphanReason {
  return failure.layer === "socket" ? "socket_unreachable" : "health_check_failed";
}

export function isSuspicion(reason: OrphanReason): boolean {
  return reason === "socket_unreachable" || reason === "health_check_failed";
}

/**
 * Whether force may be used on a living VMM: API silent and the configured guest probe failing, or two guest probes of different kinds
 * failing. CPU time and state T are no signals: an idle guest uses no CPU, and a debugger stops a process.
 *
 * @returns undefined when it may, else why not
 */
export function forceForbiddenBy(failure: ProbeFailure, allowDataLoss: boolean): BlockedReason | undefined {
  if (!allowDataLoss) return "data_loss_not_allowed";
  const kinds = new Set(failure.failedGuestProbes).size;
  return (failure.apiSilent && kinds >= 1) || kinds >= 2 ? undefined : "second_signal_missing";
}

/** What a person can do about a VM that stays as it is, by the reason for which it does. */
export function remedyFor(reason: BlockedReason): string {
  return REMEDIES[reason];
}

const REMEDIES: Readonly<Record<BlockedReason, string>> = {
  data_loss_not_allowed:
    "look at the guest; end its VMM yourself, or set recovery.allow_data_loss in its record to let metald do it",
  second_signal_missing: "look at the guest; add health_check.guest so that a second signal can confirm its death",
  forced_stops_exhausted: "look for a shared cause; metald goes on when recovery.max_forced_stops permits",
  unfenceable: "free what the process waits for (storage, a tracer), or reboot the host",
  duplicate: "find out which VMM is right and end the other one",
  lookalike: "end the process that resembles this VM, or let it run as the record's user with its socket",
  socket_in_use: "end the process that serves the VM's socket, or change the socket in the record",
  disk_in_use: "end the process that has the disk open for writing, or mark the disk as shared in the record",
  disk_unavailable: "make the disk's path reachable, or correct it in the record",
  no_permission: "run metald as root, or as the user that runs the VM",
  ignores_shutdown: 'shut the guest down from inside, or set "stop": "force" in its record',
  desired_paused: 'set "state": "running" in its record to have it started',
  no_launch: "start or stop it by the means it was started with, or add launch to its record",
  unproven: "see the error; metald looks again and goes on once it can tell",
  state_unwritable:
    "make state_dir and durable_dir writable; if one was removed, systemctl restart metald makes it anew",
  foreign_vmm: "start its guest by the means its VMM was started with, or end the VMM to have metald start it",
  migrated: "the guest runs on another host; change or remove its record here",
};

/** Whether a VM whose process ended is to be started again. An unknown exit code counts as a failure. */
export function restartsAfter(exit: ExitStatus | undefined, restart: RestartPolicy): boolean {
  switch (restart) {
    case "always":
      return true;
    case "never":
      return false;
    case "on-failure":
      return exit?.code !== 0;
    default:
      return restart satisfies never;
  }
}

/** Whether the VMM's own word proves that no guest runs in it. */
export function provesNoGuest(state: GuestState): boolean {
  return state === "not_started" || state === "panicked" || state === "internal_error" || state === "shut_down";
}
