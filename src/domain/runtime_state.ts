/**
 * What the agent remembers about a VM while the host is up, so that its own death loses nothing.
 *
 * Memory is for what the host cannot tell: how many attempts were made, when the next is due, whether a launch was under
 * way. It lives in `state_dir`, which a reboot empties on purpose.
 * @module
 */

import type { OrphanReason } from "./event.ts";
import type { ProcessIdentity } from "./process.ts";
import type { MonotonicMs } from "./time.ts";
import type { VmmKind } from "./vm_record.ts";

/** A launch that was begun and whose end was not written down. */
export interface LaunchIntent {
  readonly attempt: number;
  readonly incarnation: number;
  readonly bootId: string;
  readonly at: MonotonicMs;
}

/** The part of its record with which a process was started or adopted: it is watched by that, not by a newer record. */
export interface RunsWith {
  readonly vmm: VmmKind;
  readonly socket: string | undefined;
  readonly launchHash: string;
}

export interface RuntimeState {
  readonly bootId: string;
  /** The last main process known. */
  readonly main: ProcessIdentity | undefined;
  readonly runsWith: RunsWith | undefined;
  /** Number of the last launch; 0: never launched by us. */
  readonly incarnation: number;
  /** Attempts since the VM was last stable. */
  readonly attempts: number;
  /** When the next attempt is due; undefined: no attempt waits. */
  readonly retryAt: MonotonicMs | undefined;
  /** The breaker is open. */
  readonly failed: boolean;
  readonly launchIntent: LaunchIntent | undefined;
  /** Why the attempt that has not ended yet was made (undefined: a first start), and when the VM was lost. */
  readonly recovering:
    | { readonly reason: OrphanReason | undefined; readonly attempt: number; readonly since: MonotonicMs }
    | undefined;
  /** It ended and its restart policy leaves it so; the content of the record for which that holds. */
  readonly exitedForContent: string | undefined;
  /** Seen as the source of a finished migration: never started until its record changes from this content. */
  readonly migratedForContent: string | undefined;
}

export interface HostState {
  readonly bootId: string;
  /** The agent ended by request, so its next start is the operator's "try now". */
  readonly cleanStop: boolean;
  /** When living VMMs were ended by force, newest last: the hourly limit counts these. */
  readonly forcedStops: readonly MonotonicMs[];
}
