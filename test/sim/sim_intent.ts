/**
 * Hold and lease files of the simulated host, and what is surely in force at an instant.
 *
 * Surely, since an agent may read an expiry with another wall clock than the one it was written by: an entry whose end is
 * near, or that a clock jump has touched, binds nobody here.
 * @module
 */

import type { ProcessIdentity } from "../../src/domain/process.ts";
import { wallMs } from "../../src/domain/time.ts";
import type { IntentEntry, IntentReading } from "../../src/ports/intent.ts";

interface IntentFile {
  readonly entry: IntentEntry;
  /** Simulated instant of its expiry, by the wall clock at its writing; undefined: never. */
  readonly endsAt: number | undefined;
  isTouchedByJump: boolean;
  /** Which directory it lies in, and so which wipe takes it. */
  readonly directory: "durable" | "state";
}

const EXPIRY_MARGIN_MS = 1_000;

export class SimIntent {
  readonly #files = new Map<string, IntentFile>();
  isUnreadable = false;
  #changedAt = 0;
  readonly #changedAtOf = new Map<string, number>();
  #serial = 0;
  /** The whole reading, valid until a file changes. */
  #all: IntentReading | undefined;
  onChange: (id: string | undefined) => void = () => {};

  setUnreadable(isUnreadable: boolean, nowMs: number): void {
    this.isUnreadable = isUnreadable;
    this.#touch(undefined, nowMs);
  }

  /** @param vmId undefined for `_all.json` */
  hold(vmId: string | undefined, endsAfterMs: number | undefined, nowMs: number, wallNow: number): string {
    const entry: IntentEntry = {
      kind: "hold",
      vmId,
      reason: "maintenance",
      actor: "operator",
      expiresAt: endsAfterMs === undefined ? undefined : wallMs(wallNow + endsAfterMs),
      writtenAt: wallMs(wallNow),
    };
    const name = `holds/${vmId ?? "_all"}`;
    return this.#put(name, entry, endsAfterMs === undefined ? undefined : nowMs + endsAfterMs, "durable", vmId, nowMs);
  }

  lease(
    vmId: string,
    endsAfterMs: number,
    holder: ProcessIdentity | undefined,
    nowMs: number,
    wallNow: number,
  ): string {
    this.#serial++;
    const entry: IntentEntry = {
      kind: "lease",
      vmId,
      op: "snapshot",
      expiresAt: wallMs(wallNow + endsAfterMs),
      holder,
      fingerprint: `lease-${this.#serial}`,
    };
    return this.#put(`leases/${vmId}`, entry, nowMs + endsAfterMs, "state", vmId, nowMs);
  }

  malformed(vmId: string | undefined, nowMs: number, kind: "hold" | "lease" = "hold"): string {
    const name = `${kind}s/${vmId ?? "_all"}`;
    const directory = kind === "hold" ? "durable" : "state";
    const entry: IntentEntry = {
      kind: "malformed",
      vmId,
      path: kind === "hold" ? `/var/lib/metald/state/${name}.json` : `/run/metald/${name}.json`,
      error: `Cannot read a ${kind} as JSON must be complete: current value is {`,
    };
    return this.#put(name, entry, undefined, directory, vmId, nowMs);
  }

  remove(name: string, nowMs: number): void {
    const file = this.#files.get(name);
    if (file === undefined) return;
    this.#files.delete(name);
    this.#touch(file.entry.vmId, nowMs);
  }

  removeAll(directory: "durable" | "state" | undefined, nowMs: number): void {
    for (const [name, file] of [...this.#files]) {
      if (directory === undefined || file.directory === directory) this.remove(name, nowMs);
    }
  }

  names(): string[] {
    return [...this.#files.keys()];
  }

  clockJumped(): void {
    for (const file of this.#files.values()) file.isTouchedByJump = true;
  }

  list(): IntentReading {
    if (this.isUnreadable) return UNREADABLE;
    this.#all ??= { kind: "read", entries: [...this.#files.values()].map((file) => file.entry) };
    return this.#all;
  }

  read(id: string): IntentReading {
    if (this.isUnreadable) return UNREADABLE;
    if (this.#files.size === 0) return this.list();
    const entries: IntentEntry[] = [];
    for (const { entry } of this.#files.values())
      if (entry.vmId === id || entry.vmId === undefined) entries.push(entry);
    return { kind: "read", entries };
  }

  changedAt(id: string): number {
    return Math.max(this.#changedAt, this.#changedAtOf.get(id) ?? 0);
  }

  /** Why the VM is beyond doubt held at this instant; undefined: it may be acted on. */
  bindingReason(id: string, nowMs: number, isAlive: (holder: ProcessIdentity) => boolean): string | undefined {
    if (this.isUnreadable) return "the intent cannot be read";
    for (const [name, file] of this.#files) {
      const entry = file.entry;
      if (entry.vmId !== id && entry.vmId !== undefined) continue;
      if (entry.kind === "malformed") return `${name} does not parse`;
      if (file.endsAt !== undefined && (file.isTouchedByJump || nowMs > file.endsAt - EXPIRY_MARGIN_MS)) continue;
      if (entry.kind === "lease" && entry.holder !== undefined && !isAlive(entry.holder)) continue;
      return name;
    }
    return undefined;
  }

  #put(
    name: string,
    entry: IntentEntry,
    endsAt: number | undefined,
    directory: "durable" | "state",
    vmId: string | undefined,
    nowMs: number,
  ): string {
    this.#files.set(name, { entry, endsAt, isTouchedByJump: false, directory });
    this.#touch(vmId, nowMs);
    return name;
  }

  #touch(id: string | undefined, nowMs: number): void {
    this.#all = undefined;
    if (id === undefined) this.#changedAt = nowMs;
    else this.#changedAtOf.set(id, nowMs);
    this.onChange(id);
  }
}

const UNREADABLE: IntentReading = {
  kind: "unreadable",
  path: "/var/lib/metald/state/holds",
  error: "EIO: i/o error",
};
