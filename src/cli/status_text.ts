/**
 * The status of a host as a person reads it: a line about the agent, what is wrong beside the VMs, a line for each VM.
 *
 * Pure.
 * @module
 */

import { type ProcessIdentity, processId } from "../domain/process.ts";
import type { WallMs } from "../domain/time.ts";
import { blankUnprintable } from "../observability/printable.ts";
import type { HostStatus, Some, VmStatus } from "../ports/status_board.ts";

/** `silent`: it runs, and its status is old. */
export type AgentCondition = "running" | "silent" | "ended";

const SHOWN_MAX = 20;

/** What a VM is in that is neither where it should be nor on its first way there. */
const TROUBLED: readonly VmStatus["phase"][] = [
  ...(["suspect", "orphaned", "backing_off", "fencing"] as const),
  ...(["paused_io", "blocked", "unfenceable", "failed"] as const),
];

export function needsAttention({ registryUnreadable, brakeEngaged, refusedRecords, vms }: HostStatus): boolean {
  return registryUnreadable !== undefined || brakeEngaged || refusedRecords.count > 0 || vms.some(isTroubled);
}

function isTroubled({ phase }: VmStatus): boolean {
  return TROUBLED.includes(phase);
}

export interface StatusTextOptions {
  readonly status: HostStatus;
  readonly agent: ProcessIdentity | undefined;
  readonly condition: AgentCondition;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export function statusText({ status, agent, condition, now }: StatusTextOptions): string {
  const { version, launcher, vms, refusedRecords, unmatchedHolds } = status;
  const pid = agent === undefined ? "" : `, pid ${agent.pid}`;
  const lines = [`metald ${version} (${launcher} launcher${pid}): ${summary(vms)}, ${span(now - status.at)} ago`];
  if (condition === "ended") lines.push("! the agent is not running; this is what it knew last");
  if (condition === "silent") lines.push("! the agent runs and has not said anything since; it may hang");
  if (!status.enabled) lines.push("! disabled by its configuration: it looks at nothing and does nothing");
  if (status.registryUnreadable !== undefined) lines.push(`! registry unreadable: ${status.registryUnreadable}`);
  if (status.brakeEngaged) lines.push("! mass failure brake engaged: nothing is ended by force");
  lines.push(...some(refusedRecords, ({ path, error }) => `record refused: ${path}: ${error}`));
  lines.push(...some(unmatchedHolds, ({ vmId, reason }) => `hold of no VM: there is no ${vmId}: ${reason}`));
  if (vms.length > 0) lines.push("", ...table([HEADINGS, ...vms.map((vm) => cells(vm, now))]));
  return `${lines.map(blankUnprintable).join("\n")}\n`;
}

/** A line for each of the first ones, and one for how many there are beside. */
function some<T>({ count, first }: Some<T>, line: (one: T) => string): readonly string[] {
  const shown = first.slice(0, SHOWN_MAX).map((one) => `! ${line(one)}`);
  return count > shown.length ? [...shown, `! and ${count - shown.length} more like the last one`] : shown;
}

/** `5 VMs, 3 healthy, 1 blocked, 1 stopped` */
function summary(vms: readonly VmStatus[]): string {
  const counts = new Map<string, number>();
  for (const { phase } of vms) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  const held = vms.filter((vm) => vm.held).length;
  const parts = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([phase, count]) => `${count} ${phase}`);
  return [`${vms.length} ${vms.length === 1 ? "VM" : "VMs"}`, ...parts, ...(held > 0 ? [`${held} held`] : [])].join(
    ", ",
  );
}

const HEADINGS = ["VM", "DESIRED", "STATE", "PROCESS", "SINCE", "MISSES", "ATTEMPTS", "NEXT", "WHY"] as const;

function cells(vm: VmStatus, now: number): readonly string[] {
  return [
    vm.id,
    vm.desired,
    vm.held ? `${vm.phase} (held)` : vm.phase,
    vm.process === undefined ? "-" : processId(vm.vmm, vm.process),
    span(now - vm.since),
    String(vm.consecutiveFailures),
    String(vm.attempts),
    vm.nextAttemptAt === undefined ? "-" : nextText(vm.nextAttemptAt, now),
    whyText(vm),
  ];
}

function nextText(at: WallMs, now: number): string {
  return at <= now ? "now" : `in ${span(at - now)}`;
}

function whyText({ blockedReason, why, held, heldBecause }: VmStatus): string {
  const reasons = [blockedReason, why, held ? `held: ${heldBecause ?? "no reason given"}` : undefined];
  const text = reasons.filter((reason) => reason !== undefined && reason !== "").join("; ");
  return text === "" ? "-" : text;
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("  "),
  );
}

/** `45s`, `12m`, `3h5m`, `2d4h`: as much as a person needs. */
function span(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (minutes < 1) return `${seconds}s`;
  if (hours < 1) return `${minutes}m`;
  if (days < 1) return `${hours}h${minutes % 60}m`;
  return `${days}d${hours % 24}h`;
}
