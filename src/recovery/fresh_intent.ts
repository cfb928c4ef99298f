/**
 * Intent, read from disk immediately before an act.
 *
 * What the agent remembers of a record may be a second old, and a second is enough for somebody to stop, hold or delete a VM. So
 * every signal, hook and launch asks here first, and acts only on an answer that was read after the question.
 * @module
 */

import { unreachable } from "../domain/unreachable.ts";
import type { VmId, VmRecord } from "../domain/vm_record.ts";
import type { Clock } from "../ports/clock.ts";
import type { Intent, IntentEntry, Lease } from "../ports/intent.ts";
import type { ProcessTable } from "../ports/process_table.ts";
import type { Registry } from "../ports/registry.ts";
import type { FirstReadings, Holding } from "./holding.ts";
import { judgeHolding } from "./holding.ts";

export interface IntentPorts {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly intent: Intent;
  readonly processTable: ProcessTable;
}

export type FreshIntent =
  | { readonly kind: "go"; readonly record: VmRecord }
  /** Somebody wants something else, or nobody can tell what is wanted. `record`: what was read, if anything. */
  | { readonly kind: "no"; readonly detail: string; readonly record: VmRecord | undefined };

/**
 * @param lastGood stays in force while the record on disk does not parse
 * @param desired the state that the act serves
 */
export async function readFreshIntent(
  ports: IntentPorts,
  id: VmId,
  lastGood: VmRecord,
  desired: "running" | "stopped",
  readings: FirstReadings,
): Promise<FreshIntent> {
  const holding = await readHolding(ports, id, readings);
  if (holding.kind === "unreadable") return { kind: "no", detail: holding.error, record: undefined };
  // The record comes last: nothing is awaited between it and the act.
  const record = await readRecord(ports.registry, id, lastGood);
  if (record.kind === "none") return { kind: "no", detail: record.detail, record: undefined };
  if (holding.holding.held) {
    return { kind: "no", detail: `held: ${holding.holding.reason}`, record: record.record };
  }
  if (record.record.desired !== desired) {
    return { kind: "no", detail: `its record says ${record.record.desired}`, record: record.record };
  }
  return { kind: "go", record: record.record };
}

async function readRecord(
  registry: Registry,
  id: VmId,
  lastGood: VmRecord,
): Promise<{ kind: "some"; record: VmRecord } | { kind: "none"; detail: string }> {
  const entry = await registry.read(id);
  switch (entry.kind) {
    case "record":
      return { kind: "some", record: entry.record };
    case "invalid":
      return { kind: "some", record: lastGood };
    case "absent":
      return { kind: "none", detail: "its record is gone" };
    case "unreadable":
      return { kind: "none", detail: `cannot read ${entry.path}: ${entry.error}` };
    default:
      return unreachable(entry);
  }
}

export async function readHolding(
  ports: Omit<IntentPorts, "registry">,
  id: VmId,
  readings: FirstReadings,
): Promise<{ kind: "read"; holding: Holding } | { kind: "unreadable"; error: string }> {
  const reading = await ports.intent.read(id);
  if (reading.kind === "unreadable") {
    return { kind: "unreadable", error: `cannot read ${reading.path}: ${reading.error}` };
  }
  const gone = await goneHolders(ports.processTable, reading.entries);
  const now = { monotonic: ports.clock.monotonic(), wall: ports.clock.wall() };
  return { kind: "read", holding: judgeHolding(id, reading.entries, (lease) => gone.has(lease), readings, now) };
}

/** The leases whose holder has ended. A holder that cannot be looked at still holds. */
export async function goneHolders(
  processTable: ProcessTable,
  entries: readonly IntentEntry[],
): Promise<ReadonlySet<Lease>> {
  const gone = new Set<Lease>();
  for (const entry of entries) {
    if (entry.kind !== "lease" || entry.holder === undefined) continue;
    if ((await processTable.inspect(entry.holder)).kind === "dead") gone.add(entry);
  }
  return gone;
}
