/**
 * Whether an agent may act on a VM at all: section 1 of the specification, rule 4.
 *
 * Two things are asked. Was the intent read at all, immediately before? And did it, as it stood on disk since before that
 * reading began, permit the act?
 * @module
 */

import type { Act, Blame } from "../watch.ts";
import type { World } from "../world.ts";

/** Between the end of the reading and the act lies at most a save, a scan or an examination. */
const FRESH_MS_MAX = 30_000;

/** Judges any act on a VM; an act that this permits may be wrong for other reasons. */
export function judgeIntent(world: World, blame: Blame, act: Act, vmId: string, what: string): void {
  const { host } = world;
  const { now } = host;
  const { life, known: knowledge } = act;
  if (!life.holdsLock) blame("one agent per registry", vmId, `${what} by agent ${life.number}, which holds no lock`);
  const wasStoppedMs = Number.isFinite(life.thawedAt) && now - life.thawedAt < FRESH_MS_MAX ? FRESH_MS_MAX : 0;
  const slackMs = FRESH_MS_MAX + life.latency.slowMsMax * 4 + wasStoppedMs;
  const recordReadAt = knowledge.recordEndedAt(vmId);
  if (now - recordReadAt > slackMs) {
    blame("intent is read fresh before every act", vmId, `${what}, and its record was read ${age(now, recordReadAt)}`);
  }
  const intentReadAt = knowledge.intentEndedAt(vmId);
  if (now - intentReadAt > slackMs) {
    blame("intent is read fresh before every act", vmId, `${what}, and its holds were read ${age(now, intentReadAt)}`);
  }
  if (host.registry.changedAt(vmId) < knowledge.recordBeganAt(vmId)) {
    if (host.registry.mode !== "ok") {
      blame("record gone or unreadable: no action", vmId, `${what}, and the registry is ${host.registry.mode}`);
    } else if (host.registry.fileKind(vmId) === "absent") {
      blame("record gone or unreadable: no action", vmId, `${what}, and there is no record`);
    }
  }
  if (host.intent.changedAt(vmId) < knowledge.intentBeganAt(vmId)) {
    const reason = host.intent.bindingReason(vmId, now, (holder) => host.isAlive(holder));
    if (reason !== undefined) blame("a held VM is not acted on", vmId, `${what}, and it is held: ${reason}`);
  }
}

function age(now: number, then: number): string {
  return Number.isFinite(then) ? `${((now - then) / 1000).toFixed(1)} s before` : "never";
}
