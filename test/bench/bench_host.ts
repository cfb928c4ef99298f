/**
 * A host's worth of directories for one bench, and the end of everything that was started there, also when the bench fails or is
 * interrupted.
 *
 * What lies under `/run` in production lies in memory here too.
 * @module
 */

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { endProcess, markedProcesses } from "../demo/marked_processes.ts";
import { freeLock } from "../host/free_lock.ts";
import { type SleeperOptions, type Sleepers, startSleepers } from "./sleepers.ts";
import { WatchedAgent } from "./watched_agent.ts";

/** In the environment of every VM that an agent starts here; its value is the host's directory. */
const BENCH_VARIABLE = "BENCH_DIRECTORY";

export interface BenchVm {
  readonly id: string;
  readonly vmm: "process" | "firecracker" | "qemu";
  readonly socket?: string;
  /** How the agent may start it; undefined: it is watched only. */
  readonly argv?: readonly string[];
}

export class BenchHost {
  /** For sockets. */
  readonly directory = mkdtempSync(join(tmpdir(), "metald-bench-"));
  readonly #memory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "metald-bench-"));
  readonly #agents: WatchedAgent[] = [];
  readonly #sleepers: Sleepers[] = [];

  constructor() {
    mkdirSync(join(this.directory, "vms"), { mode: 0o700 });
  }

  writeRecords(vms: readonly BenchVm[]): void {
    for (const { argv, ...vm } of vms) {
      const launch = argv === undefined ? undefined : { argv, env: { [BENCH_VARIABLE]: this.directory } };
      const text = JSON.stringify({ ...vm, state: "running", launch });
      writeFileSync(join(this.directory, "vms", `${vm.id}.json`), text, { mode: 0o600 });
    }
  }

  async startSleepers(sleepers: readonly SleeperOptions[]): Promise<Sleepers> {
    const started = await startSleepers(sleepers);
    this.#sleepers.push(started);
    return started;
  }

  /** @param configuration beside the places, which are this host's */
  startAgent(configuration: object = {}): WatchedAgent {
    const path = join(this.directory, "config.jsonc");
    const places = {
      registry: { type: "directory", path: join(this.directory, "vms") },
      launcher: "direct",
      state_dir: join(this.#memory, "run"),
      durable_dir: join(this.directory, "state"),
    };
    writeFileSync(path, JSON.stringify({ ...configuration, ...places }), { mode: 0o600 });
    const agent = new WatchedAgent(path);
    this.#agents.push(agent);
    return agent;
  }

  /** As if no agent had ever run here. */
  forgetState(): void {
    rmSync(join(this.#memory, "run"), { recursive: true, force: true });
    rmSync(join(this.directory, "state"), { recursive: true, force: true });
  }

  async end(): Promise<void> {
    for (const agent of this.#agents) await agent.end("SIGKILL");
    for (const sleepers of this.#sleepers) await sleepers.end();
    // A launch of the agent's may land after its end, so two looks must find nothing.
    for (let emptyLooks = 0; emptyLooks < 2; ) emptyLooks = this.#endStarted() === 0 ? emptyLooks + 1 : 0;
    await freeLock(join(this.directory, "vms"));
    this.#removeDirectories();
  }

  endNow(): void {
    for (const agent of this.#agents) agent.endNow();
    this.#endStarted();
    this.#removeDirectories();
  }

  #endStarted(): number {
    const started = markedProcesses(BENCH_VARIABLE, this.directory);
    started.forEach(endProcess);
    return started.length;
  }

  #removeDirectories(): void {
    for (const path of [this.directory, this.#memory]) rmSync(path, { recursive: true, force: true });
  }
}

export async function withBenchHost(body: (host: BenchHost) => Promise<void>): Promise<void> {
  const host = new BenchHost();
  const interrupted = (): void => {
    host.endNow();
    process.exit(130);
  };
  process.on("SIGINT", interrupted).on("SIGTERM", interrupted);
  try {
    await body(host);
  } finally {
    await host.end();
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
  }
}

/** `count` ids, in an order that sorts as it counts. */
export function vmIds(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(5, "0")}`);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
