/**
 * The states in which nothing may be done: they are said once per reason, with the remedy, and the VM goes on being watched.
 *
 * Pure.
 * @module
 */

import type { BlockedReason } from "../domain/event.ts";
import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import type { Draft } from "./draft.ts";
import { remedyFor } from "./orphan.ts";

/** Nothing may be done; it is said once per reason, with the remedy, and the VM goes on being watched. */
export function block(draft: Draft, reason: BlockedReason, detail: string, recheckAt: MonotonicMs | undefined): void {
  const { situation } = draft;
  const { phase } = draft.vm;
  const saidAt = sayBlocked(draft, reason, detail, situation.now);
  const since = phase.name === "blocked" && phase.reason === reason ? phase.since : saidAt;
  draft.set({ phase: { name: "blocked", since, reason, recheckAt } });
}

export function unfenceable(draft: Draft, detail: string): void {
  const { now, recovery } = draft.situation;
  const since = sayBlocked(draft, "unfenceable", detail, now);
  draft.enter({ name: "unfenceable", since, recheckAt: after(now, recovery.retryIntervalMs) });
}

/** @returns since when it is blocked for this reason: a look in between whether it still is does not begin it anew */
function sayBlocked(draft: Draft, reason: BlockedReason, detail: string, now: MonotonicMs): MonotonicMs {
  draft.set({ why: detail, healthySince: undefined });
  const said = draft.vm.saidBlocked;
  if (said?.reason === reason) return said.at;
  draft.set({ saidBlocked: { reason, at: now } });
  draft.report({
    type: "recovery_blocked",
    vmId: draft.situation.record.id,
    reason,
    remedy: `${remedyFor(reason)} (${detail})`,
  });
  return now;
}
