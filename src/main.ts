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
import { uidOf } from "./adapters/launcher/user.ts";
import { createDiskHolders } from "./adapters/process/disk_holders.ts";
import { loadPidfds } from "./adapters/process/pidfd.ts";
import { createProcessEvents } from "./adapters/process/process_events.ts";
import { createProcessTable } from "./adapters/process/process_table.ts";
import { createDirectoryRegistry } from "./adapters/registry/directory_registry.ts";
import { createFileStateStore } from "./adapters/state/file_state_store.ts";
import { createInstanceLock, lockDirectory } from "./adapters/state/instance_lock.ts";
import { createIntentDirectory } from "./adapters/state/intent_directory.ts";
import { createSystemHost } from "./adapters/systemd/host.ts";
import { createGuestProbe } from "./adapters/vmm/guest_probe_tcp.ts";
import { createVmm } from "./adapters/vmm/vmm.ts";
import { printAsset } from "./cli/assets.ts";
import { parseCommand } from "./cli/command.ts";
import { checkConfiguration } from "./cli/config_check.ts";
import { showConfiguration } from "./cli/config_show.ts";
import { EXIT_CODE, type ExitCode } from "./cli/exit_code.ts";
import { HELP } from "./cli/help.ts";
import { processOutput } from "./cli/output.ts";
import { type AgentContext, type AgentEnd, run } from "./cli/run.ts";
import { type Surroundings, surroundingsOf } from "./config/launcher_choice.ts";
import { unreachable } from "./domain/unreachable.ts";
import type { FleetObserver } from "./ports/fleet_observer.ts";
import type { Notify } from "./ports/notify.ts";
import type { StatusBoard } from "./ports/status_board.ts";
import { runReliability } from "./reliability/integration.ts";

const UID = process.geteuid?.() ?? -1;

/** In the foreground there is no service manager to be told anything. */
const NOBODY_TO_TELL: StatusBoard = { publish: () => undefined };
const NOBODY_COUNTS: FleetObserver = { attach: () => () => undefined };
const NOBODY_TO_NOTIFY: Notify = {
  ready: () => undefined,
  alive: () => undefined,
  status: () => undefined,
  stopping: () => undefined,
};

async function startAgent({ configuration, control, report, signal }: AgentContext): Promise<AgentEnd> {
  const { registryPath, stateDir, durableDir } = configuration.settings;
  const clock = createSystemClock();
  const pidfds = await loadPidfds();
  const processTable = createProcessTable({ clock, pidfds });
  const deps = {
    version: manifest.version,
    uid: UID,
    uidOf,
    clock,
    random: createSystemRandom(),
    registry: createDirectoryRegistry({ path: registryPath, uid: UID }),
    intent: createIntentDirectory({ stateDir, durableDir, uid: UID }),
    processTable,
    processEvents: await createProcessEvents({ pidfds }),
    launcher: createDirectLauncher({ stateDir }),
    vmm: createVmm(),
    guestProbe: createGuestProbe(),
    diskHolders: createDiskHolders(),
    hooks: createDirectHooks(),
    stateStore: createFileStateStore({ stateDir, durableDir, bootId: processTable.bootId, uid: UID }),
    instanceLock: createInstanceLock({
      registryPath,
      directory: lockDirectory(UID, process.env["XDG_RUNTIME_DIR"]),
      uid: UID,
    }),
    host: createSystemHost(),
    notify: NOBODY_TO_NOTIFY,
    statusBoard: NOBODY_TO_TELL,
    fleetObserver: NOBODY_COUNTS,
    control,
    report,
  };
  return await runReliability(deps, configuration.policy, signal);
}

function surroundings(): Surroundings {
  return surroundingsOf({
    initName: readIfPossible("/proc/1/comm"),
    cgroupText: readIfPossible("/proc/self/cgroup"),
    invocationId: process.env["INVOCATION_ID"],
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
      return await run({ source, surroundings: surroundings(), output, startAgent });
    }
    case "config_check":
      return checkConfiguration({ path: command.configPath, uid: UID }, output);
    case "config_show":
      return showConfiguration({ path: command.configPath, uid: UID }, output);
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
