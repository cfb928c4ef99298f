/**
 * `<state_dir>/status.json`: what the agent holds to be true, for `metald status` and for scripts.
 *
 * It names the process that wrote it, so that a reader can tell whether it still runs. Instants are milliseconds since
 * 1970. A reader ignores keys that it does not know; `format` rises when a known one changes its meaning.
 * @module
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { VM_PHASES } from "../../domain/event.ts";
import type { ProcessIdentity } from "../../domain/process.ts";
import { wallMs } from "../../domain/time.ts";
import type { HostStatus, StatusBoard } from "../../ports/status_board.ts";
import { errorCode } from "../process/proc_file.ts";
import { createReplacedFile } from "./replaced_file.ts";

const FORMAT = 1;

export function statusPath(stateDir: string): string {
  return join(stateDir, "status.json");
}

export interface StatusFileOptions {
  readonly stateDir: string;
  /** The agent's own process; undefined where it cannot be told. */
  readonly agent: ProcessIdentity | undefined;
}

export function createStatusFile({ stateDir, agent }: StatusFileOptions): StatusBoard {
  const file = createReplacedFile(statusPath(stateDir));
  return { publish: (status) => file.replace(`${JSON.stringify({ format: FORMAT, agent, ...status })}\n`) };
}

export type StatusReading =
  | { readonly kind: "read"; readonly status: HostStatus; readonly agent: ProcessIdentity | undefined }
  | { readonly kind: "absent"; readonly path: string }
  | { readonly kind: "unreadable"; readonly error: string };

export async function readStatusFile(stateDir: string): Promise<StatusReading> {
  const path = statusPath(stateDir);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return { kind: "absent", path };
    return {
      kind: "unreadable",
      error: `Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
  const parsed = statusFile.safeParse(value);
  if (!parsed.success) return { kind: "unreadable", error: `Cannot read ${path} as it must be of format ${FORMAT}` };
  const { agent, ...status } = parsed.data;
  return { kind: "read", agent, status };
}

const count = z.number().int().min(0);
const instant = z.number().transform(wallMs);
const identity = z.object({ bootId: z.string(), pid: count, startTicks: count });

const vmStatus = z
  .object({
    id: z.string(),
    desired: z.enum(["running", "paused", "stopped"]),
    phase: z.enum(VM_PHASES),
    vmm: z.enum(["firecracker", "cloud-hypervisor", "qemu", "process"]),
    process: identity.optional(),
    since: instant,
    held: z.boolean(),
    heldBecause: z.string().optional(),
    consecutiveFailures: count,
    attempts: count,
    nextAttemptAt: instant.optional(),
    blockedReason: z
      .enum([
        ...(["data_loss_not_allowed", "second_signal_missing", "forced_stops_exhausted", "unfenceable"] as const),
        ...(["duplicate", "lookalike", "socket_in_use", "disk_in_use", "disk_unavailable", "no_permission"] as const),
        ...(["ignores_shutdown", "desired_paused", "no_launch", "unproven", "state_unwritable", "migrated"] as const),
      ])
      .optional(),
    why: z.string().optional(),
  })
  .transform((vm) => ({
    ...vm,
    process: vm.process,
    heldBecause: vm.heldBecause,
    nextAttemptAt: vm.nextAttemptAt,
    blockedReason: vm.blockedReason,
    why: vm.why,
  }));

/** An older agent says nothing of them. */
function some<T>(shape: z.ZodType<T>) {
  return z.object({ count, first: z.array(shape) }).default({ count: 0, first: [] });
}

const refusedRecord = z
  .object({ id: z.string().optional(), path: z.string(), error: z.string() })
  .transform((refused) => ({ ...refused, id: refused.id }));
const unmatchedHold = z.object({ vmId: z.string(), reason: z.string() });

const statusFile = z
  .object({
    format: z.literal(FORMAT),
    agent: identity.optional(),
    version: z.string(),
    launcher: z.enum(["direct", "systemd"]),
    at: instant,
    enabled: z.boolean(),
    registryUnreadable: z.string().optional(),
    brakeEngaged: z.boolean(),
    refusedRecords: some(refusedRecord),
    unmatchedHolds: some(unmatchedHold),
    vms: z.array(vmStatus),
  })
  .transform(({ format: _format, ...file }) => ({
    ...file,
    agent: file.agent,
    registryUnreadable: file.registryUnreadable,
  })) satisfies z.ZodType<HostStatus>;
