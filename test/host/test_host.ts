/**
 * A host's worth of directories for one test: registry, state, sockets, configuration; and its end, with every process
 * that the agent started there.
 * @module
 */

import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Agent, startAgent } from "./agent.ts";
import { freeLock } from "./free_lock.ts";
import { isAlive, kill, processesOf } from "./processes.ts";
import { waitFor } from "./wait.ts";

export interface TestHost {
  /** For sockets and control files. */
  readonly directory: string;
  readonly registry: string;
  /** An id that no other test uses. */
  newId(name?: string): string;
  /** Writes a record by rename, as an orchestrator should. `id` and `state` are filled in. */
  writeRecord(id: string, record: Readonly<Record<string, unknown>>): void;
  removeRecord(id: string): void;
  /** Starts an agent on this host; more than one may be tried. */
  startAgent(): Agent;
  /** Resolves with the pid of the VM's only process, once there is exactly one. */
  onlyProcess(id: string): Promise<number>;
  /** As `onlyProcess`, once that is another than `pid`. */
  nextProcess(id: string, pid: number): Promise<number>;
}

/** Short intervals, so that a verdict takes a second or two rather than a minute. */
const CONFIGURATION = {
  health_check: {
    interval: "500ms",
    suspect_interval: "100ms",
    timeout: "400ms",
    failure_threshold: 3,
    recovery_threshold: 2,
    start_grace: "1s",
  },
  recovery: {
    retry_interval: "200ms",
    max_retry_interval: "2s",
    start_timeout: "20s",
    shutdown_timeout: "2s",
    detection_interval: "1s",
    stable_after: "30s",
    rearm_interval: "10s",
  },
  reconcile_interval: "1s",
  launcher: "direct",
};

/** Runs `body` on a fresh host and leaves nothing behind, however it ends. */
export async function withHost(
  body: (host: TestHost) => Promise<void>,
  configuration: Partial<Record<keyof typeof CONFIGURATION | "telemetry", object>> = {},
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "metald-host-"));
  const [registry, stateDirectory, durableDirectory] = ["vms", "run", "durable"].map((name) => {
    const path = join(directory, name);
    mkdirSync(path, { mode: 0o700 });
    return path;
  });
  if (registry === undefined) throw new TypeError("Cannot happen as three names give three paths");
  const configPath = join(directory, "config.jsonc");
  const config = {
    ...CONFIGURATION,
    health_check: { ...CONFIGURATION.health_check, ...configuration.health_check },
    recovery: { ...CONFIGURATION.recovery, ...configuration.recovery },
    ...(configuration.telemetry === undefined ? {} : { telemetry: configuration.telemetry }),
    registry: { type: "directory", path: registry },
    state_dir: stateDirectory,
    durable_dir: durableDirectory,
  };
  writeFileSync(configPath, JSON.stringify(config), { mode: 0o600 });
  const ids: string[] = [];
  const agents: Agent[] = [];
  const unique = directory.slice(-6);

  const host: TestHost = {
    directory,
    registry,
    newId: (name = "vm") => {
      const id = `${name}-${unique}-${ids.length}`;
      ids.push(id);
      return id;
    },
    writeRecord: (id, record) => {
      const path = join(registry, `${id}.json`);
      writeFileSync(`${path}.new`, JSON.stringify({ id, state: "running", ...record }));
      chmodSync(`${path}.new`, 0o600);
      renameSync(`${path}.new`, path);
    },
    removeRecord: (id) => rmSync(join(registry, `${id}.json`)),
    startAgent: () => {
      const agent = startAgent(configPath);
      agents.push(agent);
      return agent;
    },
    onlyProcess: (id) =>
      waitFor(
        `exactly one process of ${id} runs`,
        () => only(id),
        () => logOf(agents),
      ),
    nextProcess: (id, pid) =>
      waitFor(
        `exactly one process of ${id} runs, and not ${pid}`,
        () => {
          const next = only(id);
          return next === pid ? undefined : next;
        },
        () => logOf(agents),
      ),
  };
  try {
    await body(host);
  } finally {
    for (const { pid } of agents.filter((agent) => isAlive(agent.pid))) await kill(pid);
    // An agent's last launch may land after its end.
    for (const id of ids) for (const pid of processesOf(id)) await kill(pid);
    for (const id of ids) for (const pid of processesOf(id)) await kill(pid);
    await freeLock(registry);
    rmSync(directory, { recursive: true, force: true });
  }
}

function only(id: string): number | undefined {
  const [pid, ...others] = processesOf(id);
  return others.length === 0 ? pid : undefined;
}

function logOf(agents: readonly Agent[]): string {
  return agents.map((agent) => agent.text().slice(-8000)).join("\n--\n");
}
