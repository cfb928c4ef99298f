/**
 * Runs an operator's hooks in transient units of their own, so that they may do what the agent itself is denied: make a
 * network device, mount a disk, write outside of the agent's directories.
 *
 * A unit of `Type=oneshot` has started once its program has ended, so `systemd-run` waits for it without a message
 * bus. What the hook says goes to the journal of its unit, and the end of that into the error. At the deadline every
 * process of the unit is killed; what a hook leaves running when it ends in time is left alone, as without systemd.
 *
 * At the deadline the order to start may still be on its way to the manager, and then there is no unit yet. So one
 * look that finds none is no proof: it takes two, with no job queued, and a stop before the second that revokes what
 * came in between.
 * @module
 */

import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { VmId } from "../../domain/vm_record.ts";
import type { HookOutcome, Hooks } from "../../ports/hooks.ts";
import { withoutExpansion } from "../systemd/exec_line.ts";
import { endText, type ServiceManager } from "../systemd/manager.ts";
import { lastOutput } from "../systemd/unit_output.ts";
import { unitActivity } from "../systemd/unit_state.ts";
import { baseEnvironment, HOOK_VM_VARIABLE } from "./launch_environment.ts";
import { removeLeftovers } from "./leftovers.ts";
import { findUser } from "./user.ts";

const ORDER_TIMEOUT_MS = 5_000;
const REMOVAL_TIMEOUT_MS = 10_000;
/** systemd ends the hook by itself if the agent is not there to do so at the deadline. */
const DEADLINE_MARGIN_MS = 2_000;
const ENDED_WITHIN_MS = 5_000;
const BUSY_PAUSE_MS = 20;
const QUIET_LOOKS = 2;
const QUIET_PAUSE_MS = 250;

export interface SystemdHooksOptions {
  readonly manager: ServiceManager;
  /** How this very program is called, before its sub-command. */
  readonly agentCommand: readonly string[];
  /** From the deadline of a hook to giving up on its end. @default 5_000 */
  readonly endedWithinMs?: number;
}

export function createSystemdHooks(options: SystemdHooksOptions): Hooks {
  const { manager, agentCommand, endedWithinMs = ENDED_WITHIN_MS } = options;
  return {
    run: ({ vmId, argv, timeoutMs }) => {
      const unit = `metald-hook-${vmId}-${randomUUID().slice(0, 8)}.service`;
      return runInUnit(manager, { unit, vmId, argv, timeoutMs, endedWithinMs });
    },
    async removeLeftovers(paths) {
      const outcome = await removeLeftovers(paths);
      if (outcome.kind === "done" || !outcome.error.includes("EROFS")) return outcome;
      // The agent's own sandbox makes the directory read-only. The same code runs without it, by the same rules.
      const unit = `metald-cleanup-${randomUUID().slice(0, 8)}.service`;
      const argv = [...agentCommand, "remove-leftovers", ...paths];
      const timeoutMs = REMOVAL_TIMEOUT_MS;
      return await runInUnit(manager, { unit, vmId: undefined, argv, timeoutMs, endedWithinMs });
    },
  };
}

interface UnitRun {
  readonly unit: string;
  readonly vmId: VmId | undefined;
  readonly argv: readonly string[];
  readonly timeoutMs: number;
  readonly endedWithinMs: number;
}

async function runInUnit(manager: ServiceManager, run: UnitRun): Promise<HookOutcome> {
  const { unit, argv, timeoutMs } = run;
  const end = await manager.runToEnd(unitArguments(run), timeoutMs);
  if (end.kind === "ended" && end.code === 0) return { kind: "done" };
  if (end.kind === "failed") return { kind: "failed", error: end.error };
  const ended = end.kind !== "timed_out" || (await endUnit(manager, unit, run.endedWithinMs));
  const reading = await manager.show(unit);
  const exit = reading.kind === "state" ? reading.state.exit : undefined;
  // A program that could not be started has no unit, and systemd-run itself says why.
  const said = exit === undefined && end.kind === "ended" ? endText(end) : await lastOutput(unit);
  await manager.order(["reset-failed", "--", unit], ORDER_TIMEOUT_MS);
  const how =
    end.kind === "timed_out"
      ? `did not end within ${timeoutMs} ms${ended ? " and was killed" : ", and may run on"}`
      : exit?.signal !== undefined
        ? `was killed by ${exit.signal}`
        : `ended with ${exit === undefined ? "an error" : `exit code ${exit.code}`}`;
  return { kind: "failed", error: `${argv[0]} ${how}${said === "" ? "" : `: ${said}`}` };
}

function unitArguments({ unit, vmId, argv, timeoutMs }: UnitRun): readonly string[] {
  const environment = {
    ...baseEnvironment(findUser((user) => user.uid === process.getuid?.())),
    ...(vmId === undefined ? {} : { [HOOK_VM_VARIABLE]: vmId }),
  };
  return [
    `--unit=${unit}`,
    `--description=${vmId === undefined ? "metald clean-up" : `metald hook of VM ${vmId}`}`,
    "--service-type=oneshot",
    "--property=KillMode=process",
    `--property=TimeoutStartSec=${timeoutMs + DEADLINE_MARGIN_MS}ms`,
    ...Object.entries(environment).map(([name, value]) => `--setenv=${name}=${value}`),
    "--",
    ...argv.map(withoutExpansion),
  ];
}

/** @returns whether nothing of the unit runs, and nothing of it will */
async function endUnit(manager: ServiceManager, unit: string, timeoutMs: number): Promise<boolean> {
  const until = performance.now() + timeoutMs;
  let quietLooks = 0;
  while (performance.now() < until) {
    await manager.order(["kill", "--signal=SIGKILL", "--", unit], ORDER_TIMEOUT_MS);
    await manager.order(["stop", "--no-block", "--", unit], ORDER_TIMEOUT_MS);
    const reading = await manager.show(unit);
    const isQuiet = reading.kind === "state" && unitActivity(reading.state) === "idle";
    quietLooks = isQuiet ? quietLooks + 1 : 0;
    if (quietLooks === QUIET_LOOKS) return true;
    await setTimeout(isQuiet ? QUIET_PAUSE_MS : BUSY_PAUSE_MS);
  }
  return false;
}
