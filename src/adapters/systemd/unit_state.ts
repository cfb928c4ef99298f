/**
 * What systemd says of a unit, from `systemctl show`:
 * https://www.freedesktop.org/software/systemd/man/latest/systemctl.html
 *
 * A transient unit that ended well is unloaded, and then every property reads as if all had gone well and nothing had
 * ever run. Only `LoadState` tells the two apart, so it is asked first.
 * @module
 */

import { constants } from "node:os";
import type { ExitStatus } from "../../ports/launcher.ts";
import { TICKS_PER_SECOND } from "../process/stat.ts";

/** The properties that `parseUnitStates` reads. */
export const UNIT_PROPERTIES = [
  "Id",
  "LoadState",
  "ActiveState",
  "SubState",
  "Job",
  "MainPID",
  "ExecMainPID",
  "ExecMainStartTimestampMonotonic",
  "ExecMainCode",
  "ExecMainStatus",
  "Result",
] as const;

export interface UnitState {
  /** The unit's own name, where it was asked for by another; undefined in answers that lack it. */
  readonly id: string | undefined;
  /** `loaded`, `not-found`, `masked`, ... */
  readonly loadState: string;
  /** `active`, `inactive`, `failed`, `activating`, `deactivating`, ... */
  readonly activeState: string;
  /** `running`, `exited`, `dead`, `auto-restart`, ... */
  readonly subState: string;
  /** A start, stop or restart is queued or under way. */
  readonly hasJob: boolean;
  /** Undefined while there is none. */
  readonly mainPid: number | undefined;
  /** The last main process, which may have ended. */
  readonly lastMainPid: number | undefined;
  /** About when it was started, in the unit of `/proc/<pid>/stat`: a few ticks after the kernel's own count. */
  readonly lastMainStartTicks: number;
  /** How the last main process ended; undefined while it runs. */
  readonly exit: ExitStatus | undefined;
  /** `success`, `exit-code`, `timeout`, `oom-kill`, ... */
  readonly result: string;
}

/**
 * Reads the answer for one or more units, in the order in which they were asked for.
 *
 * @returns undefined for an answer that lacks what was asked for
 */
export function parseUnitStates(output: string): readonly UnitState[] | undefined {
  const states: UnitState[] = [];
  for (const block of output.split(/\n\n+/)) {
    if (block.trim() === "") continue;
    const state = parseUnitState(block);
    if (state === undefined) return undefined;
    states.push(state);
  }
  return states;
}

function parseUnitState(block: string): UnitState | undefined {
  const values = new Map<string, string>();
  for (const line of block.split("\n")) {
    const equals = line.indexOf("=");
    if (equals > 0) values.set(line.slice(0, equals), line.slice(equals + 1));
  }
  const loadState = values.get("LoadState");
  const activeState = values.get("ActiveState");
  if (loadState === undefined || activeState === undefined) return undefined;
  const job = values.get("Job");
  return {
    id: values.get("Id"),
    loadState,
    activeState,
    subState: values.get("SubState") ?? "",
    hasJob: job !== undefined && job !== "" && job !== "0",
    mainPid: pidFrom(values.get("MainPID")),
    lastMainPid: pidFrom(values.get("ExecMainPID")),
    lastMainStartTicks:
      Math.floor((Number(values.get("ExecMainStartTimestampMonotonic")) * TICKS_PER_SECOND) / 1e6) || 0,
    exit: exitFrom(Number(values.get("ExecMainCode")), Number(values.get("ExecMainStatus"))),
    result: values.get("Result") ?? "",
  };
}

function pidFrom(text: string | undefined): number | undefined {
  const pid = Number(text);
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

/** @param code `si_code` of https://man7.org/linux/man-pages/man2/sigaction.2.html, 0 while the process runs */
function exitFrom(code: number, status: number): ExitStatus | undefined {
  const [EXITED, KILLED, DUMPED] = [1, 2, 3];
  if (code === EXITED) return { code: status, signal: undefined };
  if (code === KILLED || code === DUMPED) return { code: undefined, signal: signalName(status) };
  return undefined;
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `signal ${number}`;
}

/**
 * Why a unit must not be meant by this name; undefined when it is its own. The control groups of processes and the
 * journal know a unit by its own name alone, so under an alias a VM that runs would be taken for one that does not.
 */
export function whyNotItsName(unit: string, { id }: UnitState): string | undefined {
  if (id === undefined || id === unit) return undefined;
  return `Cannot use ${unit} as a record must name a unit by its own name: current value is an alias of ${id}`;
}

/** In one line, for a person: `active (running)`, `failed (failed), a job is queued`. */
export function describeUnit(unit: string, { loadState, activeState, subState, hasJob }: UnitState): string {
  const load = loadState === "loaded" ? "" : `, ${loadState}`;
  return `${unit} is ${activeState} (${subState})${load}${hasJob ? ", a job is queued" : ""}`;
}

export type UnitActivity = "idle" | "busy" | "unknown";

/**
 * Whether a unit runs something or may be about to. A unit that stays `active (exited)` so that its exit code can be
 * read runs nothing.
 */
export function unitActivity({ activeState, subState, hasJob }: UnitState): UnitActivity {
  if (hasJob) return "busy";
  switch (activeState) {
    case "inactive":
    case "failed":
      return "idle";
    case "active":
      return subState === "exited" ? "idle" : "busy";
    case "activating":
    case "deactivating":
    case "reloading":
    case "refreshing":
      return "busy";
    default:
      return "unknown";
  }
}
