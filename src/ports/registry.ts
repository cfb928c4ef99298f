/**
 * Where the records of the VMs are kept. The agent reads and never writes there.
 * @module
 */

import type { VmId, VmRecord } from "../domain/vm_record.ts";

export interface ReadRecord {
  readonly kind: "record";
  readonly id: VmId;
  readonly record: VmRecord;
  /** The record's text, for a last-good copy. */
  readonly source: string;
}

/** Something stands where a record should, and is refused. */
export interface InvalidRecord {
  readonly kind: "invalid";
  /** Undefined when the name gives no valid id. */
  readonly id: VmId | undefined;
  readonly path: string;
  /** One line naming key, rule and value. */
  readonly error: string;
}

export interface UnreadableRegistry {
  readonly kind: "unreadable";
  readonly path: string;
  readonly error: string;
}

export interface RegistryListing {
  readonly kind: "listed";
  readonly entries: readonly (ReadRecord | InvalidRecord)[];
}

export interface Registry {
  readonly path: string;
  /** Every record as it stands now. An unreadable registry is not an empty one. */
  list(): Promise<RegistryListing | UnreadableRegistry>;
  /** One record, read afresh from the source. */
  read(id: VmId): Promise<ReadRecord | InvalidRecord | { readonly kind: "absent" } | UnreadableRegistry>;
  /**
   * Calls `onHint` when a record may have changed: with its id, or with undefined for "look at all of them". A hint may be
   * early, late, doubled or lost. Returns what ends the watch.
   */
  watch(onHint: (id: VmId | undefined) => void): () => void;
}
