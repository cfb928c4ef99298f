/**
 * Whether VMs are dying in numbers right now.
 *
 * A failing power rail or an impatient operator ends a thousand VMMs within a tenth of a second. Whoever begins to bring back
 * the first ones meanwhile picks by chance and not by priority, and takes the time in which the others would be noticed. So
 * recoveries wait until the rush is over, and no longer than it takes to notice.
 *
 * Pure.
 * @module
 */

import type { MonotonicMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";

/** So many, each soon after the one before. */
const DEATHS_MIN = 8;
/** After any death: the notices of those that died with it are waiting already. */
const GLANCE_MS = 2;
const SOON_MS = 25;
/** Nothing is put off for longer, however long they go on dying. */
const RUSH_MAX_MS = 500;

export class Rush {
  #deaths = 0;
  #beganAt: number = Number.NEGATIVE_INFINITY;
  #lastAt: number = Number.NEGATIVE_INFINITY;

  /** Something says that a VM has died. */
  add(now: MonotonicMs): void {
    if (now > this.#lastAt + SOON_MS) {
      this.#deaths = 0;
      this.#beganAt = now;
    }
    this.#deaths += 1;
    this.#lastAt = now;
  }

  /** When the rush that is on ends at the latest, if nobody dies any more; undefined: none is on. */
  endsAt(now: MonotonicMs): MonotonicMs | undefined {
    const waitMs = this.#deaths < DEATHS_MIN ? GLANCE_MS : SOON_MS;
    const endsAt = Math.min(this.#lastAt + waitMs, this.#beganAt + RUSH_MAX_MS);
    return now < endsAt ? after(now, endsAt - now) : undefined;
  }
}
