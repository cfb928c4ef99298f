/**
 * Real processes for tests: started, identified, and all ended at the end.
 * @module
 */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { ProcessIdentity } from "../../../src/domain/process.ts";

const EVENTUALLY_MS = 10_000;
const POLL_MS = 5;

/** Looks again and again until the condition holds. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineAt = performance.now() + EVENTUALLY_MS;
  while (!(await condition())) {
    assert.ok(performance.now() < deadlineAt, `does not come true: ${condition}`);
    await setTimeout(POLL_MS);
  }
}

/** Undefined when there is no such process, or when it is a zombie. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid);
  return fields === undefined || fields[0] === "Z" ? undefined : makeIdentity(pid, fields);
}

function statFields(pid: number): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

function makeIdentity(pid: number, fields: readonly string[]): ProcessIdentity {
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return { bootId, pid, startTicks: Number(fields[19]) };
}

export interface HostProcesses {
  /** Resolves once the process runs the program. It ends with the test at the latest. */
  start(argv: readonly string[], env?: Readonly<Record<string, string>>): Promise<ProcessIdentity>;
  /** As `start`, once the program has said `ready`. */
  startReady(argv: readonly string[], env?: Readonly<Record<string, string>>): Promise<ProcessIdentity>;
  /** Resolves when the process is gone or a zombie. */
  end(identity: ProcessIdentity): Promise<void>;
  dispose(): Promise<void>;
}

export function createHostProcesses(): HostProcesses {
  const children = new Map<number, ChildProcess>();

  const spawnChild = (argv: readonly string[], env: Readonly<Record<string, string>>) => {
    const [program = "", ...args] = argv;
    const child = spawn(program, args, { env: { ...env }, stdio: ["ignore", "pipe", "ignore"] });
    assert.ok(child.pid !== undefined, `does not start: ${program}`);
    children.set(child.pid, child);
    return { child, pid: child.pid };
  };
  const identify = (pid: number) => {
    const fields = statFields(pid);
    assert.ok(fields !== undefined, `ended at once: ${pid}`);
    return makeIdentity(pid, fields);
  };
  const end = async (pid: number) => {
    children.get(pid)?.kill("SIGKILL");
    children.delete(pid);
    await eventually(() => identityOf(pid) === undefined);
  };

  return {
    async start(argv, env = {}) {
      const { pid } = spawnChild(argv, env);
      return identify(pid);
    },
    async startReady(argv, env = {}) {
      const { child, pid } = spawnChild(argv, env);
      const identity = identify(pid);
      let said = "";
      child.stdout.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
      await eventually(() => said.includes("ready"));
      return identity;
    },
    end: ({ pid }) => end(pid),
    async dispose() {
      for (const pid of [...children.keys()]) await end(pid);
    },
  };
}
