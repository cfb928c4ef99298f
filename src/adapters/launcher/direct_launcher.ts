/**
 * Starts VMs as detached processes, each in a session of its own, for hosts without systemd.
 *
 * A session of its own keeps a terminal's or a service manager's signals to the agent away from the VM; the output
 * goes to a file, so nothing breaks when the agent ends. The runtime closes its own file descriptors in the child, the
 * lock of the registry among them. What is not kept apart is the control group: inside a systemd service the VM would
 * die with it, which is why the configuration refuses that.
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { join } from "node:path";
import type { ProcessIdentity } from "../../domain/process.ts";
import type { ArgvLaunch, VmId } from "../../domain/vm_record.ts";
import type { Launcher, LaunchOutcome, LaunchRequest } from "../../ports/launcher.ts";
import { readBootId } from "../process/boot_id.ts";
import { createProcFileReader, errorCode, type ReadProcFile } from "../process/proc_file.ts";
import { readStat } from "../process/read_process.ts";
import type { Stat } from "../process/stat.ts";
import { type ConsoleFiles, createConsoleFiles } from "./console_files.ts";
import { createExitRecords, type ExitRecords, trackExit } from "./exit_records.ts";
import { launchEnvironment, withOwnVariables } from "./launch_environment.ts";
import { whyNotRunnable } from "./runnable.ts";
import { findUser, type User } from "./user.ts";

const PATH_TIMEOUT_MS = 5000;
const NEWS_TIMEOUT_MS = 200;

export interface DirectLauncherOptions {
  /** `state_dir` of the configuration. */
  readonly stateDir: string;
}

export function createDirectLauncher(options: DirectLauncherOptions): Launcher {
  const starter: Starter = {
    bootId: readBootId(),
    read: createProcFileReader(),
    consoles: createConsoleFiles(join(options.stateDir, "console")),
    exits: createExitRecords(),
  };
  const launching = new Set<VmId>();
  return {
    kind: "direct",
    async launch(request) {
      const { id } = request.record;
      if (launching.has(id)) return { kind: "unknown", error: `Cannot launch ${id} as one launch of it is under way` };
      launching.add(id);
      try {
        return await launch(starter, request);
      } finally {
        launching.delete(id);
      }
    },
    async inspect({ id }) {
      return launching.has(id) ? { kind: "busy", detail: "a launch is under way" } : { kind: "idle" };
    },
    consoleOf: ({ id }) => starter.consoles.pathOf(id),
    exitOf: (_record, process) => starter.exits.statusOf(process, () => hasEnded(starter.read, process)),
    async stopUnit(unit) {
      return { kind: "failed", error: `Cannot stop ${unit} as only the systemd launcher manages units` };
    },
  };
}

interface Starter {
  readonly bootId: string;
  readonly read: ReadProcFile;
  readonly consoles: ConsoleFiles;
  readonly exits: ExitRecords;
}

async function launch(starter: Starter, { record, incarnation }: LaunchRequest): Promise<LaunchOutcome> {
  const plan = record.launch;
  if (plan === undefined) return { kind: "refused", error: "Cannot launch as the record must have a launch part" };
  if (plan.kind === "unit") {
    return { kind: "refused", error: `Cannot start unit ${plan.unit} as this needs the systemd launcher` };
  }
  if (Object.keys(plan.properties ?? {}).length > 0) {
    return { kind: "refused", error: "Cannot give unit properties to a process as this needs the systemd launcher" };
  }
  const command = commandOf(plan);
  if (command.kind === "refused") return command;
  const [program = ""] = plan.argv;
  const error = await whyNotRunnable(program, plan.cwd, PATH_TIMEOUT_MS);
  if (error !== undefined) return { kind: "refused", error };
  const env = launchEnvironment(record, incarnation, command.user);
  return await start(starter, { id: record.id, argv: command.argv, cwd: plan.cwd, env });
}

type Command =
  | { readonly kind: "command"; readonly argv: readonly string[]; readonly user: User | undefined }
  | { readonly kind: "refused"; readonly error: string };

/**
 * Spawning with a uid leaves an empty list of groups in both runtimes, so a VM would not be in `kvm`; `setpriv` takes
 * the user's own groups and then becomes the program, under the same pid.
 */
function commandOf(launch: ArgvLaunch): Command {
  const argv = withOwnVariables(launch);
  const { user: name } = launch;
  const uid = process.getuid?.();
  if (name === undefined) return { kind: "command", argv, user: findUser((user) => user.uid === uid) };
  const user = findUser((each) => each.name === name);
  if (user === undefined) {
    return {
      kind: "refused",
      error: `Cannot launch as launch.user must be in /etc/passwd: current value is "${name}"`,
    };
  }
  if (user.uid === uid) return { kind: "command", argv, user };
  if (uid !== 0) {
    return { kind: "refused", error: `Cannot launch as only root may start programs of another user: ${name}` };
  }
  const become = ["/usr/bin/setpriv", "--reuid", String(user.uid), "--regid", String(user.gid), "--init-groups", "--"];
  return { kind: "command", argv: [...become, ...argv], user };
}

interface Start {
  readonly id: VmId;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Record<string, string>;
}

/** All in one turn of the event loop, so that a child that ends at once is still there to be identified. */
function start(starter: Starter, { id, argv, cwd, env }: Start): Promise<LaunchOutcome> | LaunchOutcome {
  const [program = "", ...args] = argv;
  let output: number;
  try {
    output = starter.consoles.open(id);
  } catch (error) {
    return { kind: "refused", error: `Cannot launch as its console file cannot be made: ${messageOf(error)}` };
  }
  try {
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ["ignore", output, output] });
    return child.pid === undefined ? failureOf(child, program) : identify(starter, child, child.pid);
  } catch (error) {
    return { kind: "refused", error: whyNotStarted(program, error) };
  } finally {
    closeSync(output);
  }
}

function failureOf(child: ChildProcess, program: string): Promise<LaunchOutcome> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ kind: "refused", error: whyNotStarted(program, error) }));
  });
}

function whyNotStarted(program: string, error: unknown): string {
  if (errorCode(error) !== "ENOEXEC") return `Cannot start ${program}: ${messageOf(error)}`;
  return `Cannot start ${program} as it must be of a format the kernel knows; a script must begin with #!`;
}

async function identify(starter: Starter, child: ChildProcess, pid: number): Promise<LaunchOutcome> {
  child.on("error", () => {});
  child.unref();
  const exit = trackExit(child);
  const startTicks = statOf(starter.read, pid)?.startTicks;
  if (startTicks !== undefined) {
    const process = { bootId: starter.bootId, pid, startTicks };
    starter.exits.add(process, exit);
    return { kind: "launched", process };
  }
  const status = await exit.wait(NEWS_TIMEOUT_MS);
  if (status === undefined) return { kind: "unknown", error: `Cannot identify process ${pid}, which was started` };
  return { kind: "refused", error: `The program ended at once: ${status.signal ?? `exit code ${status.code}`}` };
}

function hasEnded(read: ReadProcFile, process: ProcessIdentity): boolean {
  const stat = statOf(read, process.pid);
  return stat?.startTicks !== process.startTicks || stat.state === "Z" || stat.state === "X";
}

function statOf(read: ReadProcFile, pid: number): Stat | undefined {
  try {
    return readStat(read, `/proc/${pid}`);
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
