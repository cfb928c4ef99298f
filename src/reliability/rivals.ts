/**
 * Records that claim what only one VM can have: an API socket, or a unit of systemd.
 *
 * Two VMs of one socket are one process under two names: each would adopt it, and a stop of the one ends the other. So of two
 * records that claim the same, one is refused: the one that comes later to it, and of those that come together the one that
 * is later by name.
 *
 * Pure.
 * @module
 */

import type { VmId, VmRecord } from "../domain/vm_record.ts";
import type { InvalidRecord, ReadRecord } from "../ports/registry.ts";

/** As a record writes it: `socket "/run/vms/vm-1.sock"`. */
type Claim = string;

function claimsOf({ socket, launch }: VmRecord): readonly Claim[] {
  const claims: Claim[] = [];
  if (socket !== undefined) claims.push(`socket ${JSON.stringify(socket)}`);
  if (launch?.kind === "unit") claims.push(`launch.systemd_unit ${JSON.stringify(launch.unit)}`);
  return claims;
}

/** Of records that claim the same, the first by name. */
export function withoutRivals(records: ReadonlyMap<VmId, VmRecord>): ReadonlyMap<VmId, VmRecord> {
  const holders = new Map<Claim, VmId>();
  const kept = new Map<VmId, VmRecord>();
  for (const [id, record] of [...records].sort(byName)) {
    const claims = claimsOf(record);
    if (claims.some((claim) => holders.has(claim))) continue;
    for (const claim of claims) holders.set(claim, id);
    kept.set(id, record);
  }
  return kept;
}

/**
 * Refuses those entries that claim what another VM has.
 *
 * @param inForce without those that are gone
 * @param path the registry's
 */
export function refuseRivals(
  inForce: ReadonlyMap<VmId, VmRecord>,
  entries: readonly (ReadRecord | InvalidRecord)[],
  path: string,
): readonly (ReadRecord | InvalidRecord)[] {
  const records = entries.filter((entry) => entry.kind === "record").map((entry) => [entry.id, entry.record] as const);
  const wished = new Map(records);
  const holders = new Map<Claim, VmId>();
  for (const [id, record] of inForce) {
    const next = wished.get(id);
    // What a record gives up another one may take.
    const staying =
      next === undefined ? claimsOf(record) : claimsOf(record).filter((one) => claimsOf(next).includes(one));
    for (const claim of staying) holders.set(claim, id);
  }
  const errors = new Map<VmId, string>();
  for (const [id, record] of records.sort(byName)) {
    const claims = claimsOf(record);
    const lost = claims.find((claim) => (holders.get(claim) ?? id) !== id);
    if (lost === undefined) for (const claim of claims) holders.set(claim, id);
    else errors.set(id, `Cannot use ${lost} as no two VMs may have one: it is that of ${holders.get(lost)}`);
  }
  return entries.map((entry) => {
    const error = entry.kind === "record" ? errors.get(entry.id) : undefined;
    return error === undefined ? entry : { kind: "invalid", id: entry.id, path: `${path}/${entry.id}.json`, error };
  });
}

/** The other VM that has what this record claims. */
export function rivalOf(record: VmRecord, others: Iterable<VmRecord>): VmId | undefined {
  const claims = claimsOf(record);
  for (const other of others) {
    if (other.id !== record.id && claimsOf(other).some((claim) => claims.includes(claim))) return other.id;
  }
  return undefined;
}

function byName([a]: readonly [VmId, VmRecord], [b]: readonly [VmId, VmRecord]): number {
  return a < b ? -1 : 1;
}
