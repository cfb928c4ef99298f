/**
 * The shapes of the files in which the agent keeps what it remembers.
 *
 * An agent reads what another version of it left, an older one after an upgrade or a newer one when it went back. So keys that
 * are not known here are ignored, and a key that is missing or means nothing here costs no other: it counts as what errs
 * towards doing nothing. A file that does not say in these words of which boot it is, or which process, counts as absent: then
 * what runs is adopted, whereas a main process that is not named counts as one that is known to be dead.
 * @module
 */

import { z } from "zod";
import type { ProcessIdentity } from "../../domain/process.ts";
import type { HostState, RuntimeState } from "../../domain/runtime_state.ts";
import { type MonotonicMs, monotonicMs } from "../../domain/time.ts";

const VERSION = 1;

const version = z.number().int().min(1);
const count = z.number().int().min(0);
const instant = z
  .number()
  .min(0)
  .transform((value): MonotonicMs => monotonicMs(value));
/** What is undefined has no key in the file. */
const absent = z.undefined().optional();

const identity = z.object({ bootId: z.string(), pid: count, startTicks: count }) satisfies z.ZodType<ProcessIdentity>;

const runsWith = z
  .object({
    vmm: z.enum(["firecracker", "cloud-hypervisor", "qemu", "process"]),
    socket: z.string().optional(),
    launchHash: z.string(),
  })
  .transform((value) => ({ ...value, socket: value.socket }));

/** One that says something else is still a launch whose end was not written down. */
const launchIntent = z
  .object({ attempt: count, incarnation: count, bootId: z.string(), at: instant })
  .catch({ attempt: 0, incarnation: 0, bootId: "", at: monotonicMs(0) });

const recovering = z
  .object({
    reason: z
      .enum(["process_dead", "process_mismatch", "guest_not_running", "socket_unreachable", "health_check_failed"])
      .optional()
      .catch("process_dead"),
    attempt: count,
    since: instant,
  })
  .transform((value) => ({ ...value, reason: value.reason }));

export const runtimeStateFile: z.ZodType<RuntimeState> = z
  .object({
    version,
    bootId: z.string(),
    main: identity.or(absent),
    runsWith: runsWith.or(absent).catch(undefined),
    incarnation: count.catch(0),
    attempts: count.catch(0),
    retryAt: instant.or(absent).catch(undefined),
    failed: z.boolean().catch(false),
    launchIntent: z.union([absent, launchIntent]),
    recovering: recovering.or(absent).catch(undefined),
    exitedForContent: z.string().optional().catch(undefined),
    migratedForContent: z.string().optional().catch(undefined),
  })
  .transform(({ version: _version, ...file }) => ({
    ...file,
    main: file.main,
    runsWith: file.runsWith,
    retryAt: file.retryAt,
    launchIntent: file.launchIntent,
    recovering: file.recovering,
    exitedForContent: file.exitedForContent,
    migratedForContent: file.migratedForContent,
  }));

export const hostStateFile: z.ZodType<HostState> = z
  .object({ version, bootId: z.string(), cleanStop: z.boolean().catch(false), forcedStops: z.array(instant).catch([]) })
  .transform(({ version: _version, ...state }) => state);

export const startedOnceFile = z.object({ version, contentHash: z.string() });

export function stateText(state: object): string {
  return `${JSON.stringify({ version: VERSION, ...state })}\n`;
}

/** @returns undefined when `text` is damaged */
export function parseState<T>(shape: z.ZodType<T>, text: string): T | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = shape.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
