/**
 * The composition root: it alone knows both the rules and the world, and joins them.
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import manifest from "../package.json" with { type: "json" };
import { createSystemClock } from "./adapters/clock/system_clock.ts";
import { createSystemRandom } from "./adapters/clock/system_random.ts";
import { createDirectHooks } from "./adapters/launcher/direct_hooks.ts";
import { createDirectLauncher } from "./adapters/launcher/direct_launcher.ts";
import { removeLeftovers } from "./adapters/launcher/leftovers.ts";
import { createSystemdHooks } from "./adapters/launcher/systemd_hooks.ts";
import { createSystemdLauncher } from "./adapters/launcher/systemd_launcher.ts";
import { uidOf } from "./adapters/launcher/user.ts";
import { createDiskHolders } from "./adapters/process/disk_holders.ts";
import { loadPidfds } from "./adapters/process/pidfd.ts";
import { createProcessEvents } from "./adapters/process/process_events.ts";
import { identifyProcess } from "./adapters/process/process_identity.ts";
import { createProcessTable } from "./adapters/process/process_table.ts";
import { createDirectoryRegistry } from "./adapters/registry/directory_registry.ts";
import { createRecordParser } from "./adapters/registry/record_parser.ts";
import { createDiskProbe } from "./adapters/state/disk_probe.ts";
import { createFileStateStore } from "./adapters/state/file_state_store.ts";
import { createInstanceLock, lockDirectory } from "./adapters/state/instance_lock.ts";
import { createIntentDirectory } from "./adapters/state/intent_directory.ts";
import { createReloadOutcomes, readReloadOutcome, removeOldOutcomes } from "./adapters/status/reload_file.ts";
import { createStatusFile, readStatusFile } from "./adapters/status/status_file.ts";
import { createSystemHost } from "./adapters/systemd/host.ts";
import { createServiceManager } from "./adapters/systemd/manager.ts";
import { createNotify } from "./adapters/systemd/notify.ts";
import { ownUnit, whyNotServed } from "./adapters/systemd/served_socket.ts";
import { createGuestProbe } from "./adapters/vmm/guest_probe_tcp.ts";
import { createVmm } from "./adapters/vmm/vmm.ts";
import { agentCommand } from "./cli/agent_command.ts";
import { printAsset } from "./cli/assets.ts";
import { type Command, parseCommand } from "./cli/command.ts";
import { checkConfiguration } from "./cli/config_check.ts";
import { showConfiguration } from "./cli/config_show.ts";
import { EXIT_CODE, type ExitCode } from "./cli/exit_code.ts";
import { shutDownGuest } from "./cli/guest_shutdown.ts";
import { HELP } from "./cli/help.ts";
import { type Output, processOutput } from "./cli/output.ts";
import { reloadAndWait } from "./cli/reload_wait.ts";
import { type AgentContext, type AgentEnd, run } from "./cli/run.ts";
import { SERVICE_ENVIRONMENT_PATH, serviceConfigPath } from "./cli/service_configuration.ts";
import { showStatus } from "./cli/status.ts";
import type { Settings } from "./config/configuration.ts";
import { DEFAULTS } from "./config/defaults.ts";
import { chooseLauncher, type Surroundings, surroundingsOf } from "./config/launcher_choice.ts";
import { type ConfigurationSource, loadConfiguration } from "./config/load.ts";
import type { Policy } from "./domain/policy.ts";
import { VM_ID_VARIABLE } from "./domain/process.ts";
import { unreachable } from "./domain/unreachable.ts";
import type { Control } from "./ports/control.ts";
import type { Hooks } from "./ports/hooks.ts";
import type { Launcher } from "./ports/launcher.ts";
import { runReliability } from "./reliability/integration.ts";

const UID = process.geteuid?.() ?? -1;
const LOCK_DIRECTORY = lockDirectory(UID, process.env["XDG_RUNTIME_DIR"]);

async function startAgent({ configuration, control, fleetObserver, report, signal }: AgentContext): Promise<AgentEnd> {
  const { registryPath, stateDir, durableDir } = configuration.settings;
  // Before anything that reads or writes beside it is made: a second agent must not touch the files of the first.
  const lock = await createInstanceLock({ registryPath, directory: LOCK_DIRECTORY, uid: UID }).acquire();
  if (lock.kind === "held_by_another") return { kind: "locked", detail: lock.detail };
  if (lock.kind === "unavailable") return { kind: "lock_unavailable", error: lock.error };
  removeOldOutcomes(LOCK_DIRECTORY);
  const clock = createSystemClock();
  const pidfds = await loadPidfds();
  const processTable = createProcessTable({ clock, pidfds });
  let { policy } = configuration;
  const followed = following(control, (reloaded) => {
    policy = reloaded;
  });
  const starting = starters(configuration.settings, () => policy.recovery.shutdownTimeoutMs);
  const parser = createRecordParser();
  const places = { stateDir, durableDir, durableAnswers: createDiskProbe(durableDir) };
  const deps = {
    version: manifest.version,
    uid: UID,
    uidOf,
    clock,
    random: createSystemRandom(),
    registry: createDirectoryRegistry({ path: registryPath, uid: UID, parser }),
    intent: createIntentDirectory({ ...places, uid: UID }),
    processTable,
    processEvents: await createProcessEvents({ pidfds }),
    ...starting,
    vmm: createVmm(),
    guestProbe: createGuestProbe(),
    diskHolders: createDiskHolders(),
    stateStore: createFileStateStore({ ...places, bootId: processTable.bootId, uid: UID, parser }),
    instanceLock: { acquire: () => Promise.resolve(lock) },
    host: createSystemHost(),
    notify: await createNotify({
      socket: process.env["NOTIFY_SOCKET"],
      watchdogUsec: process.env["WATCHDOG_USEC"],
      watchdogPid: process.env["WATCHDOG_PID"],
    }),
    statusBoard: createStatusFile({ stateDir, agent: identifyProcess(process.pid) }),
    fleetObserver,
    control: followed,
    report,
  };
  return await runReliability(deps, configuration.policy, signal);
}

/** The same requests, with a look at the policy that a reload brings. */
function following(control: Control, onPolicy: (policy: Policy) => void): Control {
  return {
    subscribe: (onRequest) =>
      control.subscribe((request) => {
        if (request.kind === "reload") onPolicy(request.policy);
        onRequest(request);
      }),
  };
}

interface Starters {
  readonly launcher: Launcher;
  readonly hooks: Hooks;
}

/** What starts VMs and the programs around them. A configuration for which there is none was refused before. */
function starters({ launcher, stateDir }: Settings, shutdownTimeoutMs: () => number): Starters {
  if (chooseLauncher(launcher, surroundings()).kind !== "systemd") {
    return { launcher: createDirectLauncher({ stateDir }), hooks: createDirectHooks() };
  }
  const self = { manager: createServiceManager(), agentCommand: agentCommand() };
  return { launcher: createSystemdLauncher({ ...self, shutdownTimeoutMs }), hooks: createSystemdHooks(self) };
}

async function guestShutdown(
  { vmm, socket, timeoutMs }: Extract<Command, { kind: "guest_shutdown" }>,
  output: Output,
): Promise<ExitCode> {
  const identity = identifyProcess(Number(process.env["MAINPID"]));
  const table = createProcessTable({ clock: createSystemClock(), pidfds: undefined });
  const facts = identity === undefined ? undefined : await table.describe(identity);
  const unit = ownUnit(identity?.pid ?? 0);
  return await shutDownGuest({
    target: { id: process.env[VM_ID_VARIABLE] ?? "", vmm, socket },
    timeoutMs,
    vmm: createVmm(),
    main: identity && {
      ageMs: facts?.ageMs ?? Number.POSITIVE_INFINITY,
      inspect: () => table.inspect(identity),
    },
    whyNotServed: () =>
      unit === undefined ? "this command is for units of systemd, and runs in none" : whyNotServed(socket, unit),
    output,
  });
}

async function status(
  { vmId, json, configPath }: Extract<Command, { kind: "status" }>,
  output: Output,
): Promise<ExitCode> {
  const loaded = loadConfiguration(asTheService(configPath, output));
  // An agent that runs on its old configuration while the file is broken can still be looked at.
  const stateDir = loaded.kind === "loaded" ? loaded.configuration.settings.stateDir : DEFAULTS.state_dir;
  if (loaded.kind === "rejected") {
    for (const error of loaded.errors) output.complain(error);
    output.complain(
      `Cannot tell from it where the status lies: what follows is of an agent with state_dir ${stateDir}`,
    );
  }
  const table = createProcessTable({ clock: createSystemClock(), pidfds: undefined });
  return await showStatus({
    vmId,
    json,
    read: () => readStatusFile(stateDir),
    isAlive: async (agent) => (await table.inspect(agent)).kind !== "dead",
    now: Date.now,
    output,
  });
}

/** For what is asked from a shell about the service. */
function asTheService(named: string | undefined, output: Output): ConfigurationSource {
  return { path: serviceConfigPath({ named, environmentPath: SERVICE_ENVIRONMENT_PATH, uid: UID, output }), uid: UID };
}

function surroundings(): Surroundings {
  return surroundingsOf({
    initName: readIfPossible("/proc/1/comm"),
    cgroupText: readIfPossible("/proc/self/cgroup"),
    invocationId: process.env["INVOCATION_ID"],
    uid: UID,
  });
}

function readIfPossible(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function main(args: readonly string[]): Promise<ExitCode> {
  const command = parseCommand(args, process.env["METALD_CONFIG"]);
  const output = processOutput();
  switch (command.kind) {
    case "run": {
      const source = { path: command.configPath, uid: UID };
      const publishReload = createReloadOutcomes(LOCK_DIRECTORY, process.pid);
      return await run({
        version: manifest.version,
        source,
        surroundings: surroundings(),
        output,
        startAgent,
        publishReload,
      });
    }
    case "status":
      return await status(command, output);
    case "reload":
      return await reloadAndWait({
        mainPid: process.env["MAINPID"],
        readOutcome: (pid) => readReloadOutcome(LOCK_DIRECTORY, pid),
        hangUp: (pid, signal) => process.kill(pid, signal),
        output,
      });
    case "guest_shutdown":
      return await guestShutdown(command, output);
    case "remove_leftovers": {
      const outcome = await removeLeftovers(command.paths);
      if (outcome.kind === "done") return EXIT_CODE.ok;
      output.complain(outcome.error);
      return EXIT_CODE.failed;
    }
    case "config_check":
      return checkConfiguration(asTheService(command.configPath, output), output);
    case "config_show":
      return showConfiguration(asTheService(command.configPath, output), { output, secrets: command.secrets });
    case "assets":
      return printAsset(command.name, output);
    case "version":
      output.print(`metald ${manifest.version}\n`);
      return EXIT_CODE.ok;
    case "help":
      output.print(HELP);
      return EXIT_CODE.ok;
    case "misused":
      output.complain(`${command.error}; metald help shows what there is`);
      return EXIT_CODE.usage;
    default:
      return unreachable(command);
  }
}

const exitCode = await main(process.argv.slice(2));
// What still waits (a connection, a watch) must not keep the process, and what was printed must have left it.
process.stdout.write("", () => process.exit(exitCode));
