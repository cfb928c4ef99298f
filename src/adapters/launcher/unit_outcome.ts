/**
 * What a call that started a unit came to.
 *
 * The call itself is the least witness: it may have timed out with its job still queued, or have lost its connection after the
 * order was taken. A unit that runs, has run, or has failed without a job tells; what is left in doubt is unknown.
 * @module
 */

import { INCARNATION_VARIABLE, type ProcessIdentity } from "../../domain/process.ts";
import type { LaunchOutcome } from "../../ports/launcher.ts";
import type { BriefEnd } from "../process/brief_program.ts";
import { unitOf } from "../process/cgroup.ts";
import { variableOf } from "../process/environment.ts";
import type { ReadProcFile } from "../process/proc_file.ts";
import { readStat } from "../process/read_process.ts";
import { endText, type ServiceManager } from "../systemd/manager.ts";
import { describeUnit, type UnitState, unitActivity } from "../systemd/unit_state.ts";

/** https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html, "Process Exit Codes" */
const SETUP_CODE_MIN = 200;
const SETUP_CODE_MAX = 245;
/** The commonest: https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#Process%20Exit%20Codes */
const SETUP_FAILURES: ReadonlyMap<number, string> = new Map([
  [200, "its directory cannot be entered"],
  [203, "its program cannot be run"],
  [216, "its group is not there"],
  [217, "its user is not there"],
  [226, "its mounts cannot be made"],
]);
const ENVIRONMENT_BYTES_MAX = 8 * 1024 * 1024;
const CGROUP_BYTES_MAX = 16 * 1024;

export interface UnitStarter {
  readonly manager: ServiceManager;
  readonly bootId: string;
  readonly read: ReadProcFile;
}

/**
 * What a call that started a unit came to, as the unit itself shows it.
 *
 * @param isOurs whether a process that runs although the call failed is of this launch
 */
export async function outcomeOf(
  starter: UnitStarter,
  unit: string,
  end: BriefEnd,
  isOurs: (pid: number) => boolean,
): Promise<LaunchOutcome> {
  const reading = await starter.manager.show(unit);
  if (reading.kind === "unknown") return unknown(`${endText(end)}; ${reading.error}`);
  const { state } = reading;
  if (state.mainPid !== undefined && !state.hasJob) {
    const process = identify(starter, unit, state.mainPid);
    if (process !== undefined && (isOk(end) || isOurs(process.pid))) return { kind: "launched", process };
  }
  if (unitActivity(state) !== "idle") return unknown(`${describeUnit(unit, state)}: ${endText(end)}`);
  if (isOfThisCall(end) && hasRun(state) && state.lastMainPid !== undefined) {
    // It was started and has ended, and how it ended is for `exitOf` to say.
    const { lastMainPid: pid, lastMainStartTicks: startTicks } = state;
    return { kind: "launched", process: { bootId: starter.bootId, pid, startTicks } };
  }
  if (state.activeState === "failed") return refused(`${unit} failed: ${howItEnded(state)}`);
  // No unit, and nobody who said no: the order may still be on its way.
  if (end.kind !== "ended" || isOk(end) || isBrokenOff(end))
    return unknown(`${describeUnit(unit, state)}: ${endText(end)}`);
  return refused(endText(end));
}

/** A call that systemd refuses says why; one whose program ended before it counted as started says nothing. */
function isOfThisCall(end: BriefEnd): boolean {
  return end.kind === "ended" && (end.code === 0 || end.stderr.trim() === "");
}

/** Whether the program itself has ended, rather than systemd's attempt to start it: that ends with 200 and more. */
function hasRun({ exit }: UnitState): boolean {
  return exit !== undefined && (exit.code === undefined || exit.code < SETUP_CODE_MIN || exit.code > SETUP_CODE_MAX);
}

/** The connection to the service manager ended before its answer came. */
function isBrokenOff(end: Extract<BriefEnd, { kind: "ended" }>): boolean {
  return end.code === undefined || /connect|disconnect|timed out|reset by peer|broken pipe|no reply/i.test(end.stderr);
}

function isOk(end: BriefEnd): boolean {
  return end.kind === "ended" && end.code === 0;
}

function howItEnded({ exit, result }: UnitState): string {
  if (exit?.signal !== undefined) return exit.signal;
  if (exit?.code !== undefined) {
    const what = SETUP_FAILURES.get(exit.code);
    return `exit code ${exit.code}${what === undefined ? "" : ` (${what})`}`;
  }
  return result;
}

/** Undefined when the process has ended meanwhile, or is not in the unit any more. */
function identify({ read, bootId }: UnitStarter, unit: string, pid: number): ProcessIdentity | undefined {
  try {
    const stat = readStat(read, `/proc/${pid}`);
    if (stat === undefined || stat.state === "Z" || stat.state === "X") return undefined;
    if (unitOf(read(`/proc/${pid}/cgroup`, CGROUP_BYTES_MAX).toString("utf8")) !== unit) return undefined;
    return { bootId, pid, startTicks: stat.startTicks };
  } catch {
    return undefined;
  }
}

/** Whether a process bears the mark of a launch. */
export function readsAs(read: ReadProcFile, pid: number, incarnation: number): boolean {
  try {
    const environment = read(`/proc/${pid}/environ`, ENVIRONMENT_BYTES_MAX);
    return variableOf(environment, INCARNATION_VARIABLE) === String(incarnation);
  } catch {
    return false;
  }
}

export function refused(error: string): LaunchOutcome {
  return { kind: "refused", error };
}

export function unknown(error: string): { readonly kind: "unknown"; readonly error: string } {
  return { kind: "unknown", error };
}
