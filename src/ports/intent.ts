/**
 * What people and other programs ask of the agent beside the records: holds ("keep your hands off") and leases ("I am at
 * work on it").
 * @module
 */

import type { ProcessIdentity } from "../domain/process.ts";
import type { WallMs } from "../domain/time.ts";
import type { VmId } from "../domain/vm_record.ts";

export interface Hold {
  readonly kind: "hold";
  /** Undefined: of every VM (`_all.json`). */
  readonly vmId: VmId | undefined;
  readonly reason: string;
  readonly actor: string;
  readonly expiresAt: WallMs | undefined;
  /** When the file was written. */
  readonly writtenAt: WallMs;
}

export interface Lease {
  readonly kind: "lease";
  readonly vmId: VmId;
  /** What is under way: `snapshot`, `migrate`, ... */
  readonly op: string;
  readonly expiresAt: WallMs;
  /** The holder; the lease is void once this process is gone. */
  readonly holder: ProcessIdentity | undefined;
  /** Changes when the file's content changes. */
  readonly fingerprint: string;
}

/** A file that does not parse or must not be trusted. It counts as held, since its author wanted something. */
export interface MalformedIntent {
  readonly kind: "malformed";
  readonly vmId: VmId | undefined;
  readonly path: string;
  readonly error: string;
}

export type IntentEntry = Hold | Lease | MalformedIntent;

export type IntentReading =
  /** Holds and leases that concern the VM; those of every VM among them. Expired ones too: judging is the core's. */
  | { readonly kind: "read"; readonly entries: readonly IntentEntry[] }
  | { readonly kind: "unreadable"; readonly path: string; readonly error: string };

export interface Intent {
  /** All entries of all VMs. A directory that does not exist holds nothing. */
  list(): Promise<IntentReading>;
  /** What concerns one VM, read afresh. */
  read(id: VmId): Promise<IntentReading>;
  /** As `Registry.watch`: hints only. */
  watch(onHint: (id: VmId | undefined) => void): () => void;
}
