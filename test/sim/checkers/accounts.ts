/**
 * What the agent says of its work: every attempt ends once, waits its time, and ends well only when seen to.
 * @module
 */

import type { ReliabilityEvent } from "../../../src/domain/event.ts";
import type { ProcessIdentity } from "../../../src/domain/process.ts";
import type { AgentLife } from "../agent_life.ts";
import { mainsOf } from "../ownership.ts";
import type { Checker, MakeChecker } from "../watch.ts";

interface Account {
  /** The attempt that has begun and not ended. Inherited: in an earlier life, whose state may be lost. */
  open: { readonly attempt: number; readonly at: number; readonly isInherited: boolean } | undefined;
  /** A first start has been announced; its attempts are not, one by one. */
  isStartSaid: boolean;
  /** An agent that is killed between saying how an attempt ended and writing it down leaves that to its successor to say again. */
  endedAt: number;
  /** It could not be written down, or the agent was killed before it can have been. */
  isEndLost: boolean;
  /** The VM counts as lost, in this life. */
  orphan: { readonly isProof: boolean; readonly at: number } | undefined;
  /** Last attempt that failed, and its number. */
  failedAt: number;
  lastAttempt: number;
  /** When what was counted so far was forgiven or lost, with good reason. */
  resetAt: number;
  launchedAt: number;
  slotFreedAt: number;
  /** When the last attempt began, and when the present one was announced. */
  attemptedAt: number;
  announcedAt: number;
}

const SLACK = 0.98;
const WRITE_DOWN_MS_MAX = 10_000;
const PROOFS: ReadonlySet<string> = new Set(["process_dead", "process_mismatch", "guest_not_running"]);

export const watchAccounts: MakeChecker = (world, blame) => {
  const { host } = world;
  const accounts = new Map<string, Account>();
  /** When this agent has said that a VM was deleted. */
  let deletions: number[] = [];
  let speaking: AgentLife | undefined;
  const accountOf = (id: string): Account => {
    let account = accounts.get(id);
    if (account === undefined) {
      account = {
        open: undefined,
        isStartSaid: false,
        endedAt: Number.NEGATIVE_INFINITY,
        isEndLost: false,
        orphan: undefined,
        failedAt: Number.NEGATIVE_INFINITY,
        lastAttempt: 0,
        resetAt: 0,
        launchedAt: Number.NEGATIVE_INFINITY,
        slotFreedAt: Number.NEGATIVE_INFINITY,
        attemptedAt: Number.NEGATIVE_INFINITY,
        announcedAt: Number.NEGATIVE_INFINITY,
      };
      accounts.set(id, account);
    }
    return account;
  };

  const begin = (id: string, attempt: number): void => {
    const account = accountOf(id);
    if (account.open !== undefined && !account.open.isInherited) {
      blame(
        "every attempt ends in exactly one way",
        id,
        `attempt ${attempt} begins while ${account.open.attempt} is open`,
      );
    }
    account.open = { attempt, at: host.now, isInherited: false };
  };

  const judgeNumber = (life: AgentLife, id: string, attempt: number): void => {
    const account = accountOf(id);
    const isForgiven = isExcused(life, id, account);
    if (attempt <= account.lastAttempt && !isForgiven) {
      blame("attempts are counted until the VM is stable", id, `attempt ${attempt} after ${account.lastAttempt}`);
    }
    if (attempt >= 2 && !isForgiven) {
      const waitMs = minimumWaitMs(id, attempt);
      const waitedMs = host.now - account.failedAt;
      if (waitedMs < waitMs) {
        blame("retries wait", id, `attempt ${attempt} after ${waitedMs} ms, not ${waitMs}`);
      }
    }
    account.lastAttempt = attempt;
    account.attemptedAt = Math.max(account.announcedAt, account.attemptedAt);
    account.resetAt = Number.NEGATIVE_INFINITY;
  };

  /** Whether the count may have begun anew since the last attempt: stable, another record, forgotten state, or "try now". */
  const isExcused = (life: AgentLife, id: string, account: Account): boolean => {
    const since = account.attemptedAt;
    return (
      host.registry.changedAt(id) > since - 1_000 ||
      host.store.runtimeDisturbedAt > since - 1_000 ||
      !host.store.isRuntimeWritable ||
      world.cleanStopAt > since - 1_000 ||
      world.policyChangedAt >= since ||
      account.resetAt > since ||
      life.startedAt > since + world.recoveryPolicy(id).stableAfterMs
    );
  };

  const minimumWaitMs = (id: string, attempt: number): number => {
    const policy = world.recoveryPolicy(id);
    const backoffMs = policy.retryIntervalMs * policy.backoffFactor ** (attempt - 2);
    const waitMs =
      attempt > policy.maxRetries ? policy.rearmIntervalMs : Math.min(backoffMs, policy.maxRetryIntervalMs);
    return waitMs * (1 - policy.jitter) * SLACK;
  };

  const end = (id: string, how: string, isOfStart: boolean): void => {
    const account = accountOf(id);
    const isKnown = account.open !== undefined || (isOfStart && account.isStartSaid);
    if (!isKnown && !mayBeSaidAgain(account))
      blame("every attempt ends in exactly one way", id, `${how} without an attempt`);
    account.open = undefined;
    account.isStartSaid = false;
    account.endedAt = host.now;
    account.isEndLost = !host.store.isRuntimeWritable;
  };

  const mayBeSaidAgain = (account: Account): boolean => {
    return account.isEndLost || host.store.runtimeDisturbedAt > account.endedAt - WRITE_DOWN_MS_MAX;
  };

  const seenHealthy = (
    life: AgentLife,
    event: Extract<ReliabilityEvent, { type: "recovery_successful" | "vm_started" }>,
  ): void => {
    const { vmId: id } = event;
    const process = host.processes.past(event.process);
    const known = life.knowledge.of(id);
    if (process === undefined || process.vm !== id || process.role === "helper") {
      blame("recovered means seen healthy", id, "no such process of this VM ever was");
      return;
    }
    const wellKey = event.vmm === "process" ? known.aliveKey : known.apiWellKey;
    // A wrapper that was launched may be named for the VMM that it has started since, and that was seen well.
    const startedByIt = host.processes.startedBy(process, wellKey);
    // And QEMU does not say who it is: a second one that took the socket over answers for the first.
    const isAnonymous = event.vmm === "qemu" && host.livingVmms(id).some((each) => each.key === wellKey);
    if (wellKey !== process.key && !startedByIt && !isAnonymous) {
      blame("recovered means seen healthy", id, `last seen well: ${wellKey ?? "nothing"}, not ${process.key}`);
    }
    const record = host.registry.lastRecord(id);
    const isRecordOld = host.registry.changedAt(id) < process.startedAt - 1_000;
    if (
      isRecordOld &&
      record?.guest.tcp !== undefined &&
      known.tcpWellKey !== wellKey &&
      known.tcpWellKey !== process.key
    ) {
      blame("recovered means seen healthy", id, `its guest was last seen well: ${known.tcpWellKey ?? "never"}`);
    }
  };

  const judgeDeath = (life: AgentLife, id: string, identity: ProcessIdentity | undefined): void => {
    if (identity !== undefined && host.isAlive(identity)) {
      blame("proof is true", id, `reported dead while its process ${identity.pid} lives`);
    }
    // It is dead, and whether another took its place is found out by the scan before a start.
    if (identity !== undefined) return;
    const record = host.registry.inForce(id);
    if (record === undefined || host.registry.changedAt(id) >= life.knowledge.recordBeganAt(id)) return;
    for (const main of mainsOf(host.processes, record)) {
      // A wrapper that still waits for the death of its VMM to sink in is none.
      if (main.role === "vmm" && main.startedAt < life.knowledge.scanBeganAt) {
        blame("proof is true", id, `reported dead while ${main.exe} ${main.identity.pid} lives (${main.state})`);
      }
    }
  };

  /** Another life speaks now: one that holds the lock, whichever was meant to be the agent. */
  const succeed = (life: AgentLife): void => {
    speaking = life;
    deletions = [];
    for (const account of accounts.values()) {
      if (account.open !== undefined) account.open = { ...account.open, isInherited: true };
      // A start that an agent announced is its successor's to end as well, so what was said of it stands.
      account.orphan = undefined;
    }
  };

  const checker: Checker = {
    onLifeEnded(life, how) {
      if (!life.holdsLock || how !== "killed") return;
      for (const account of accounts.values()) {
        if (host.now - account.endedAt < WRITE_DOWN_MS_MAX) account.isEndLost = true;
      }
    },

    onLaunch({ life }, request) {
      const id = request.record.id;
      const account = accountOf(id);
      const policy = world.recoveryPolicy(id);
      let inFlight = 0;
      for (const [otherId, other] of accounts) {
        const isOpen = other.open !== undefined && !other.open.isInherited && other.launchedAt >= other.open.at;
        const isStarting = host.now - other.launchedAt < world.recoveryPolicy(otherId).startTimeoutMs * 0.9;
        // A start that nobody wants any more is called off, and its slot is free.
        const wishedAt = Math.max(host.registry.changedAt(otherId), host.intent.changedAt(otherId));
        const isWanted = wishedAt < other.launchedAt && world.policyChangedAt < other.launchedAt;
        const isHeld = other.slotFreedAt < other.launchedAt && other.launchedAt >= life.startedAt;
        if (otherId !== id && isOpen && isStarting && isWanted && isHeld) inFlight++;
      }
      const slots = Math.max(policy.maxConcurrentRecoveries, world.previousPolicy.recovery.maxConcurrentRecoveries);
      if (inFlight >= slots) {
        blame("at most max_concurrent_recoveries at once", id, `launch beside ${inFlight} others, ${slots} allowed`);
      }
      const attempt = world.savedBy(life, id)?.launchIntent?.attempt;
      if (account.open === undefined || account.open.isInherited) {
        if (attempt !== undefined) account.open = { attempt, at: host.now, isInherited: false };
      }
      if (attempt !== undefined) judgeNumber(life, id, attempt);
      account.launchedAt = host.now;
    },

    onEvent(life, event) {
      if (!life.holdsLock) return;
      if (life !== speaking) succeed(life);
      switch (event.type) {
        case "recovery_attempting":
          begin(event.vmId, event.attempt);
          return;
        case "recovery_starting":
          accountOf(event.vmId).announcedAt = host.now;
          return;
        case "vm_starting":
          accountOf(event.vmId).isStartSaid = true;
          accountOf(event.vmId).announcedAt = host.now;
          return;
        case "attempt_failed": {
          end(event.vmId, "a failure", !event.recovery);
          const account = accountOf(event.vmId);
          if (event.cause === "abandoned") {
            account.resetAt = host.now;
            account.lastAttempt = Math.min(account.lastAttempt, event.attempt - 1);
          } else {
            account.failedAt = host.now;
          }
          return;
        }
        case "recovery_successful":
        case "vm_started":
          end(event.vmId, "a success", event.type === "vm_started");
          seenHealthy(life, event);
          accountOf(event.vmId).orphan = undefined;
          // A first start that succeeded is no recovery, so the recoveries to come are counted from one.
          if (event.type === "vm_started") accountOf(event.vmId).lastAttempt = 0;
          return;
        case "recovery_blocked":
          // Its start has come to an end, though its attempt has not: the slot is free.
          accountOf(event.vmId).slotFreedAt = host.now;
          return;
        case "orphan_detected": {
          const account = accountOf(event.vmId);
          const isProof = PROOFS.has(event.reason);
          const isWishNew = account.orphan !== undefined && host.registry.changedAt(event.vmId) >= account.orphan.at;
          if (account.orphan !== undefined && !isWishNew && (account.orphan.isProof || !isProof)) {
            blame("one loss is reported once", event.vmId, `orphan_detected (${event.reason}) again`);
          }
          account.orphan = { isProof, at: host.now };
          const wasStableMs = host.now - Math.max(account.launchedAt, account.failedAt);
          const stableAfterMs = Math.min(
            world.recoveryPolicy(event.vmId).stableAfterMs,
            world.previousPolicy.recovery.stableAfterMs,
          );
          if (wasStableMs >= stableAfterMs * 0.9) account.resetAt = host.now;
          if (event.reason === "process_dead") judgeDeath(life, event.vmId, event.process);
          return;
        }
        case "recovery_exhausted": {
          const { maxRetries } = world.recoveryPolicy(event.vmId);
          const retriesMin = Math.min(maxRetries, world.previousPolicy.recovery.maxRetries);
          if (event.attempts < retriesMin) {
            blame("it gives up only after max_retries", event.vmId, `after ${event.attempts} of ${maxRetries}`);
          }
          return;
        }
        case "health_restored":
        case "monitoring_started":
        case "vm_adopted":
        case "vm_stopped":
        case "vm_created":
        case "vm_deleted": {
          const account = accountOf(event.vmId);
          account.orphan = undefined;
          if (event.type !== "monitoring_started") account.resetAt = host.now;
          if (event.type === "vm_deleted") {
            deletions.push(host.now);
            judgeDeletion(event.vmId);
          }
          return;
        }
        case "vm_paused":
          accountOf(event.vmId).orphan = undefined;
          return;
        default:
          return;
      }
    },
  };

  const judgeDeletion = (id: string): void => {
    const { registry } = host;
    const present = registry.ids().filter((each) => registry.fileKind(each) === "record");
    // A single record may go; an agent that knew of no other cannot tell a loss from a deletion.
    const losses = deletions.filter((at) => at >= registry.changedAt(id));
    const isMassLoss = registry.mode === "empty" && losses.length > 1 && losses.length > present.length / 4;
    if (isMassLoss && world.inspectedAt < registry.changedAt(id)) {
      blame(
        "an empty registry does not mean no VMs",
        id,
        "vm_deleted while the registry is empty and nobody confirmed it",
      );
    }
    if (registry.mode === "unreadable" && registry.fileKind(id) !== "absent") {
      blame("an unreadable registry does not mean no VMs", id, "vm_deleted");
    }
  };

  return checker;
};
