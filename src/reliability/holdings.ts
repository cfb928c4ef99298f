/**
 * Who asks to keep hands off which VM, as last read, and what of it was said.
 *
 * This view decides what is worth trying and what is shown; before an act the files are read again.
 * @module
 */

import { TIMED_OUT, withDeadline } from "../async/deadline.ts";
import type { MonotonicMs, WallMs } from "../domain/time.ts";
import { after } from "../domain/time.ts";
import { unreachable } from "../domain/unreachable.ts";
import type { VmId } from "../domain/vm_record.ts";
import type { Hold, IntentEntry } from "../ports/intent.ts";
import type { Report } from "../ports/report.ts";
import type { UnmatchedHold } from "../ports/status_board.ts";
import type { IntentPorts } from "../recovery/fresh_intent.ts";
import { goneHolders } from "../recovery/fresh_intent.ts";
import type { FirstReadings, Holding } from "../recovery/holding.ts";
import { judgeHolding, NOT_HELD, readingKey } from "../recovery/holding.ts";

/** A hold this old is said again, this often. */
const REMINDER_MS = 3_600_000;
const LISTING_TIMEOUT_MS = 10_000;

export class Holdings {
  readonly #ports: Omit<IntentPorts, "registry"> & { readonly report: Report };
  readonly #readings: FirstReadings;
  #ofVm: ReadonlyMap<VmId, readonly IntentEntry[]> = new Map();
  #ofAll: readonly IntentEntry[] = [];
  #gone: ReadonlySet<IntentEntry> = new Set();
  #saidMalformed: ReadonlySet<string> = new Set();
  #saidVoid: ReadonlySet<string> = new Set();
  /** What was said of each held VM, and when. */
  readonly #said = new Map<VmId, { readonly text: string; readonly at: MonotonicMs }>();

  constructor(ports: Omit<IntentPorts, "registry"> & { readonly report: Report }, readings: FirstReadings) {
    this.#ports = ports;
    this.#readings = readings;
  }

  get isEmpty(): boolean {
    return this.#ofVm.size === 0 && this.#ofAll.length === 0 && this.#said.size === 0;
  }

  /**
   * Reads all holds and leases; what cannot be read stays as it was.
   *
   * @returns whether they name other VMs than before
   */
  async refresh(): Promise<boolean> {
    const { clock, intent } = this.#ports;
    const reading = await withDeadline(clock, LISTING_TIMEOUT_MS, intent.list());
    if (reading === TIMED_OUT) return false;
    if (reading.kind === "unreadable") {
      this.#sayMalformed([{ path: reading.path, error: reading.error, vmId: undefined }], this.#saidMalformed);
      return false;
    }
    this.#gone = await goneHolders(this.#ports.processTable, reading.entries);
    const ofVm = new Map<VmId, IntentEntry[]>();
    const ofAll: IntentEntry[] = [];
    const keys = new Set<string>();
    for (const entry of reading.entries) {
      const key = readingKey(entry);
      if (key !== undefined) keys.add(key);
      if (entry.vmId === undefined) {
        ofAll.push(entry);
        continue;
      }
      const list = ofVm.get(entry.vmId);
      if (list === undefined) ofVm.set(entry.vmId, [entry]);
      else list.push(entry);
    }
    this.#readings.keepOnly(keys);
    const namesOthers = [...ofVm.keys()].join() !== [...this.#ofVm.keys()].join();
    this.#ofVm = ofVm;
    this.#ofAll = ofAll;
    this.#sayMalformed(
      reading.entries.filter((entry) => entry.kind === "malformed"),
      new Set(),
    );
    return namesOthers;
  }

  /** What stands of VMs that there are not, whether or not it would hold one. */
  unmatched(isKnown: (id: VmId) => boolean): readonly UnmatchedHold[] {
    const found: UnmatchedHold[] = [];
    for (const [vmId, entries] of this.#ofVm) {
      if (!isKnown(vmId)) for (const entry of entries) found.push({ vmId, reason: wordsOf(entry) });
    }
    return found;
  }

  /**
   * Says of each hold that holds nothing, once: of a VM that there is not, or over before it was written. Whoever wrote it believes that
   * a VM is left alone.
   */
  sayVoid(isKnown: (id: VmId) => boolean): void {
    const wall = this.#ports.clock.wall();
    const said = new Set<string>();
    for (const entry of [...this.#ofAll, ...[...this.#ofVm.values()].flat()]) {
      if (entry.kind !== "hold") continue;
      const reason = whyVoid(entry, isKnown, wall);
      if (reason === undefined) continue;
      const text = `${entry.vmId} ${entry.writtenAt} ${reason}`;
      said.add(text);
      if (!this.#saidVoid.has(text)) this.#ports.report({ type: "hold_void", vmId: entry.vmId, reason });
    }
    this.#saidVoid = said;
  }

  of(id: VmId): Holding {
    const entries = this.#ofVm.get(id);
    if (entries === undefined && this.#ofAll.length === 0) return NOT_HELD;
    const now = { monotonic: this.#ports.clock.monotonic(), wall: this.#ports.clock.wall() };
    return judgeHolding(
      id,
      [...(entries ?? []), ...this.#ofAll],
      (lease) => this.#gone.has(lease),
      this.#readings,
      now,
    );
  }

  /** Says that a VM is held or released, once per change, and of an old hold again every hour. */
  say(id: VmId, holding: Holding): void {
    const said = this.#said.get(id);
    if (!holding.held) {
      if (said === undefined) return;
      this.#said.delete(id);
      this.#ports.report({ type: "vm_released", vmId: id });
      return;
    }
    const now = this.#ports.clock.monotonic();
    const text = `${holding.reason} ${holding.actor} ${holding.expiresAt}`;
    if (said?.text === text && now < after(said.at, REMINDER_MS)) return;
    this.#said.set(id, { text, at: now });
    this.#ports.report({
      type: "vm_held",
      vmId: id,
      reason: holding.reason ?? "",
      actor: holding.actor ?? "",
      expiresAt: holding.expiresAt,
    });
  }

  forget(id: VmId): void {
    this.#said.delete(id);
  }

  #sayMalformed(
    entries: readonly { readonly vmId: VmId | undefined; readonly path: string; readonly error: string }[],
    alsoSaid: ReadonlySet<string>,
  ): void {
    const said = new Set(alsoSaid);
    for (const { vmId, path, error } of entries) {
      const text = `${path} ${error}`;
      said.add(text);
      if (!this.#saidMalformed.has(text)) this.#ports.report({ type: "intent_invalid", vmId, path, error });
    }
    this.#saidMalformed = said;
  }
}

function wordsOf(entry: IntentEntry): string {
  switch (entry.kind) {
    case "hold":
      return entry.reason;
    case "lease":
      return entry.op;
    case "malformed":
      return entry.error;
    default:
      return unreachable(entry);
  }
}

/** One that ended as it was meant to, and was left there, is of no interest to anybody. */
function whyVoid(
  { vmId, expiresAt, writtenAt }: Hold,
  isKnown: (id: VmId) => boolean,
  now: WallMs,
): string | undefined {
  if (expiresAt !== undefined && expiresAt <= writtenAt) return "it had expired when it was written";
  if (expiresAt !== undefined && expiresAt <= now) return undefined;
  return vmId === undefined || isKnown(vmId) ? undefined : "no VM has this id";
}
