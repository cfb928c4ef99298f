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
  sayBlocked(draft, reason, detail);
  const { phase } = draft.vm;
  const since = phase.name === "blocked" && phase.reason === reason ? phase.since : situation.now;
  draft.set({ phase: { name: "blocked", since, reason, recheckAt } });
}

export function unfenceable(draft: Draft, detail: string): void {
  const { now, recovery } = draft.situation;
  sayBlocked(draft, "unfenceable", detail);
  draft.enter({ name: "unfenceable", since: now, recheckAt: after(now, recovery.retryIntervalMs) });
}

function sayBlocked(draft: Draft, reason: BlockedReason, detail: string): void {
  draft.set({ why: detail, healthySince: undefined });
  if (draft.vm.saidBlocked === reason) return;
  draft.set({ saidBlocked: reason });
  draft.report({
    type: "recovery_blocked",
    vmId: draft.situation.record.id,
    reason,
    remedy: `${remedyFor(reason)} (${detail})`,
  });
}
