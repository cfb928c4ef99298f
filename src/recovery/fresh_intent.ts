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
import type { ReadRecord, Registry } from "../ports/registry.ts";
import type { FirstReadings, Holding } from "./holding.ts";
import { judgeHolding } from "./holding.ts";

export interface IntentPorts {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly intent: Intent;
  readonly processTable: ProcessTable;
}

/** What an act is for. `force`: to run it, by ending a living VMM first. */
export type ActPurpose = "running" | "force" | "stopped";

export type FreshIntent =
  | { readonly kind: "go"; readonly record: VmRecord; readonly read: ReadRecord | undefined }
  /** Somebody wants something else, or nobody can tell what is wanted. */
  | { readonly kind: "no"; readonly detail: string; readonly read: ReadRecord | undefined };

/**
 * @param lastGood stays in force while the record on disk does not parse, but for acts that end what lives: whoever broke the record
 *   meant something, and a start can be undone
 */
export async function readFreshIntent(
  ports: IntentPorts,
  id: VmId,
  lastGood: VmRecord,
  purpose: ActPurpose,
  readings: FirstReadings,
): Promise<FreshIntent> {
  const holding = await readHolding(ports, id, readings);
  if (holding.kind === "unreadable") return no(holding.error);
  // The record comes last: nothing is awaited between it and the act.
  const entry = await ports.registry.read(id);
  switch (entry.kind) {
    case "record":
      return judge(entry.record, entry, purpose, holding.holding);
    case "invalid":
      if (purpose !== "running") return no(`its record does not parse: ${entry.error}`);
      return judge(lastGood, undefined, purpose, holding.holding);
    case "absent":
      return no("its record is gone");
    case "unreadable":
      return no(`cannot read ${entry.path}: ${entry.error}`);
    default:
      return unreachable(entry);
  }
}

function judge(record: VmRecord, read: ReadRecord | undefined, purpose: ActPurpose, holding: Holding): FreshIntent {
  const desired = purpose === "stopped" ? "stopped" : "running";
  if (holding.held) return { kind: "no", detail: `held: ${holding.reason}`, read };
  if (record.desired !== desired) return { kind: "no", detail: `its record says ${record.desired}`, read };
  return { kind: "go", record, read };
}

function no(detail: string): FreshIntent {
  return { kind: "no", detail, read: undefined };
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
