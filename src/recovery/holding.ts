/**
 * Judges holds and leases: whether somebody asks the agent to keep its hands off a VM.
 *
 * An expiry is written as an instant of the wall clock, which may be set either way at any time. So what is left of it is taken
 * once, at the first reading, and measured on the monotonic clock from there.
 *
 * Pure, but for the memory of first readings that the caller keeps.
 * @module
 */

import type { MonotonicMs, WallMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import { unreachable } from "../domain/unreachable.ts";
import type { VmId } from "../domain/vm_record.ts";
import type { Hold, IntentEntry, Lease } from "../ports/intent.ts";

export interface Now {
  readonly monotonic: MonotonicMs;
  readonly wall: WallMs;
}

/** What asks to keep hands off one VM. */
export interface Holding {
  readonly held: boolean;
  readonly leased: boolean;
  /** The first of them, for people. */
  readonly reason: string | undefined;
  readonly actor: string | undefined;
  readonly expiresAt: WallMs | undefined;
  /** When a hold was written; undefined for leases. */
  readonly writtenAt: WallMs | undefined;
}

export const NOT_HELD: Holding = {
  held: false,
  leased: false,
  reason: undefined,
  actor: undefined,
  expiresAt: undefined,
  writtenAt: undefined,
};

/** When each expiry was first read, and when it is over on the monotonic clock. */
export class FirstReadings {
  readonly #overAt = new Map<string, MonotonicMs>();

  /** Whether an entry with this expiry is over; the first call for a `key` fixes when. */
  isOver(key: string, expiresAt: WallMs, now: Now): boolean {
    let overAt = this.#overAt.get(key);
    if (overAt === undefined) {
      overAt = after(now.monotonic, expiresAt - now.wall);
      this.#overAt.set(key, overAt);
    }
    return now.monotonic >= overAt;
  }

  /** Forgets all but these keys, so that the memory is bounded by what exists. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#overAt.keys()) if (!keys.has(key)) this.#overAt.delete(key);
  }
}

/** What a first reading is remembered by; undefined for entries without an expiry. */
export function readingKey(entry: IntentEntry): string | undefined {
  switch (entry.kind) {
    case "hold":
      return entry.expiresAt === undefined ? undefined : holdKey(entry, entry.expiresAt);
    case "lease":
      return leaseKey(entry);
    case "malformed":
      return undefined;
    default:
      return unreachable(entry);
  }
}

function holdKey(hold: Hold, expiresAt: WallMs): string {
  return `hold ${hold.vmId ?? "*"} ${hold.writtenAt} ${expiresAt}`;
}

function leaseKey(lease: Lease): string {
  return `lease ${lease.vmId} ${lease.fingerprint}`;
}

/**
 * @param isHolderGone of a lease that names a process: whether that is gone
 */
export function judgeHolding(
  id: VmId,
  entries: readonly IntentEntry[],
  isHolderGone: (lease: Lease) => boolean,
  readings: FirstReadings,
  now: Now,
): Holding {
  let holding = NOT_HELD;
  const add = (found: Omit<Holding, "held">) => {
    holding = holding.held ? { ...holding, leased: holding.leased || found.leased } : { ...found, held: true };
  };
  for (const entry of entries) {
    if (entry.vmId !== undefined && entry.vmId !== id) continue;
    switch (entry.kind) {
      case "hold": {
        const { expiresAt, reason, actor, writtenAt } = entry;
        if (expiresAt !== undefined && readings.isOver(holdKey(entry, expiresAt), expiresAt, now)) break;
        add({ leased: false, reason, actor, expiresAt, writtenAt });
        break;
      }
      case "lease": {
        const over = readings.isOver(leaseKey(entry), entry.expiresAt, now);
        if (over || (entry.holder !== undefined && isHolderGone(entry))) break;
        const actor = entry.holder === undefined ? "lease" : `pid ${entry.holder.pid}`;
        add({ leased: true, reason: entry.op, actor, expiresAt: entry.expiresAt, writtenAt: undefined });
        break;
      }
      case "malformed":
        add({
          leased: false,
          reason: `cannot read ${entry.path}`,
          actor: "unknown",
          expiresAt: undefined,
          writtenAt: undefined,
        });
        break;
      default:
        unreachable(entry);
    }
  }
  return holding;
}
