/**
 * Starts VMs as transient units of systemd, or starts the units that records name.
 *
 * A unit has its own control group, so a VM lives on whatever happens to the agent, and PID 1 reaps it and remembers
 * how it ended. What a call to `systemd-run` says is not what happened: one that times out may have queued a job that
 * starts the VM later. So every doubt is settled by the unit's own state and job, and where they cannot be read the
 * outcome is unknown.
 * @module
 */

import { unreachable } from "../../domain/unreachable.ts";
import type { ArgvLaunch, VmRecord } from "../../domain/vm_record.ts";
import type { Launcher, LauncherState, LaunchOutcome, UnitStop } from "../../ports/launcher.ts";
import { readBootId } from "../process/boot_id.ts";
import { createProcFileReader } from "../process/proc_file.ts";
import { endText, type ServiceManager } from "../systemd/manager.ts";
import { describeUnit, unitActivity, whyNotItsName } from "../systemd/unit_state.ts";
import { launchEnvironment } from "./launch_environment.ts";
import { whyNotRunnable } from "./runnable.ts";
import { transientVmUnit, vmUnitName } from "./transient_vm_unit.ts";
import { exitOf } from "./unit_exit.ts";
import { outcomeOf, readsAs, refused, type UnitStarter, unknown } from "./unit_outcome.ts";
import { findUser } from "./user.ts";

const PATH_TIMEOUT_MS = 5_000;
const START_TIMEOUT_MS = 10_000;
/** A unit that somebody else wrote may be ready only when its guest is. */
const UNIT_START_TIMEOUT_MS = 30_000;
const RESET_TIMEOUT_MS = 5_000;
/** Longer than systemd's own default for a unit's stop. */
const STOP_TIMEOUT_MS = 120_000;
export interface SystemdLauncherOptions {
  readonly manager: ServiceManager;
  /** How this very program is called, before its sub-command. */
  readonly agentCommand: readonly string[];
  /** The time a guest is given to shut down where its record does not say. */
  readonly shutdownTimeoutMs: () => number;
  /** How long a call to `systemd-run` may take before the unit itself is asked. @default 10_000 */
  readonly startTimeoutMs?: number;
  /** How long the stop of a unit may take before the unit counts as not known to be gone. @default 120_000 */
  readonly stopTimeoutMs?: number;
}

export function createSystemdLauncher(options: SystemdLauncherOptions): Launcher {
  const starter: Starter = { ...options, bootId: readBootId(), read: createProcFileReader() };
  const { manager, stopTimeoutMs = STOP_TIMEOUT_MS } = options;
  return {
    kind: "systemd",
    async launch({ record, incarnation }) {
      const { launch } = record;
      if (launch === undefined) return refused("Cannot launch as the record must have a launch part");
      switch (launch.kind) {
        case "argv":
          return await startTransient(starter, record, launch, incarnation);
        case "unit":
          return await startUnit(starter, launch.unit);
        default:
          return unreachable(launch);
      }
    },
    inspect: async (record) => await inspect(manager, unitNameOf(record)),
    consoleOf: (record) => `journalctl -u ${unitNameOf(record)}`,
    exitOf: async (record, process) => await exitOf(starter, unitNameOf(record), process),
    stopUnit: async (unit) => await stopUnit(manager, unit, stopTimeoutMs),
  };
}

type Starter = SystemdLauncherOptions & UnitStarter;

function unitNameOf(record: VmRecord): string {
  return record.launch?.kind === "unit" ? record.launch.unit : vmUnitName(record);
}

async function startTransient(
  starter: Starter,
  record: VmRecord,
  launch: ArgvLaunch,
  incarnation: number,
): Promise<LaunchOutcome> {
  const { manager, agentCommand, startTimeoutMs = START_TIMEOUT_MS } = starter;
  const unfit = await whyEnvWouldFail(launch);
  if (unfit !== undefined) return refused(unfit);
  const unit = vmUnitName(record);
  const args = transientVmUnit(record, launch, {
    environment: environmentOf(record, launch.user, incarnation),
    agentCommand,
    shutdownTimeoutMs: record.recovery.shutdownTimeoutMs ?? starter.shutdownTimeoutMs(),
  });
  // The unit of a VM that was killed stays loaded as failed. One that is not loaded makes this fail, which is fine.
  await manager.order(["reset-failed", "--", unit], RESET_TIMEOUT_MS);
  let end = await manager.runTransient(args, startTimeoutMs);
  if (end.kind === "ended" && /already (loaded|exists)/.test(end.stderr)) {
    const obstacle = await unload(manager, unit);
    if (obstacle !== undefined) return refused(obstacle);
    end = await manager.runTransient(args, startTimeoutMs);
  }
  if (end.kind === "failed") return refused(end.error);
  return await outcomeOf(starter, unit, end, (pid) => readsAs(starter.read, pid, incarnation));
}

/** Where `env` runs the program it is `env` that is started, and a missing program is only an exit code of it. */
async function whyEnvWouldFail({ argv: [program = ""], cwd, env }: ArgvLaunch): Promise<string | undefined> {
  return Object.keys(env).length === 0 ? undefined : await whyNotRunnable(program, cwd, PATH_TIMEOUT_MS);
}

/** The user's own name and home, where `/etc/passwd` knows them; otherwise systemd asks its own sources. */
function environmentOf(record: VmRecord, name: string | undefined, incarnation: number): Record<string, string> {
  const uid = process.getuid?.();
  const user = findUser((each) => (name === undefined ? each.uid === uid : each.name === name));
  const environment = launchEnvironment(record, incarnation, user);
  if (user === undefined && name !== undefined) delete environment["HOME"];
  return environment;
}

/** Makes room for a unit of the same name where the earlier one runs nothing; else says what is in the way. */
async function unload(manager: ServiceManager, unit: string): Promise<string | undefined> {
  const reading = await manager.show(unit);
  if (reading.kind === "unknown") return reading.error;
  const { state } = reading;
  if (unitActivity(state) !== "idle") return `Cannot launch as its unit must be idle: ${describeUnit(unit, state)}`;
  if (state.activeState === "active") await manager.stop(unit, RESET_TIMEOUT_MS);
  await manager.order(["reset-failed", "--", unit], RESET_TIMEOUT_MS);
  return undefined;
}

async function startUnit(starter: Starter, unit: string): Promise<LaunchOutcome> {
  const { manager } = starter;
  const before = await manager.show(unit);
  if (before.kind === "unknown") return unknown(before.error);
  const alias = whyNotItsName(unit, before.state);
  if (alias !== undefined) return refused(alias);
  // Starting a unit that counts as active although its program has ended would do nothing.
  const verb = before.state.activeState === "active" && before.state.subState === "exited" ? "restart" : "start";
  if (before.state.activeState === "failed") await manager.order(["reset-failed", "--", unit], RESET_TIMEOUT_MS);
  const end = await manager.order([verb, "--", unit], UNIT_START_TIMEOUT_MS);
  if (end.kind === "failed") return refused(end.error);
  return await outcomeOf(starter, unit, end, () => true);
}

async function inspect(manager: ServiceManager, unit: string): Promise<LauncherState> {
  const reading = await manager.show(unit);
  if (reading.kind === "unknown") return reading;
  const alias = whyNotItsName(unit, reading.state);
  if (alias !== undefined) return unknown(alias);
  const activity = unitActivity(reading.state);
  switch (activity) {
    case "idle":
      return { kind: "idle" };
    case "busy":
      return { kind: "busy", detail: describeUnit(unit, reading.state) };
    case "unknown":
      return unknown(describeUnit(unit, reading.state));
    default:
      return unreachable(activity);
  }
}

async function stopUnit(manager: ServiceManager, unit: string, timeoutMs: number): Promise<UnitStop> {
  const before = await manager.show(unit);
  if (before.kind === "unknown") return { kind: "failed", error: before.error };
  const alias = whyNotItsName(unit, before.state);
  if (alias !== undefined) return { kind: "failed", error: alias };
  const end = await manager.stop(unit, timeoutMs);
  const reading = await manager.show(unit);
  if (reading.kind === "unknown") return { kind: "failed", error: `${endText(end)}; ${reading.error}` };
  if (unitActivity(reading.state) === "idle" && reading.state.activeState !== "active") return { kind: "stopped" };
  return { kind: "failed", error: `Cannot stop ${describeUnit(unit, reading.state)}: ${endText(end)}` };
}
