/**
 * Runs an operator's hooks as processes of their own, and removes what a dead VM left behind.
 *
 * A hook stands between a dead VM and its recovery, so it has a deadline, and at the deadline everything it started ends:
 * its session, and whatever left the session but kept its environment. A process that left both is not found. What a hook
 * leaves running when it ends in time is left alone; its output has nobody to read it any more.
 * @module
 */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import type { HookOutcome, HookRequest, Hooks } from "../../ports/hooks.ts";
import type { ExitStatus } from "../../ports/launcher.ts";
import { trackExit } from "./exit_records.ts";
import { endHookProcesses, HOOK_RUN_VARIABLE } from "./hook_processes.ts";
import { baseEnvironment, HOOK_VM_VARIABLE } from "./launch_environment.ts";
import { removeLeftovers } from "./leftovers.ts";
import { captureOutput } from "./output_capture.ts";
import { whyNotRunnable } from "./runnable.ts";
import { findUser } from "./user.ts";

/** How long to wait for the last output of a hook that has ended, if another process keeps its pipe open. */
const OUTPUT_TIMEOUT_MS = 100;
const WORKING_DIRECTORY = "/";

export function createDirectHooks(): Hooks {
  return { run: runHook, removeLeftovers };
}

async function runHook(request: HookRequest): Promise<HookOutcome> {
  const startedAt = performance.now();
  const [program = ""] = request.argv;
  const refusal = await whyNotRunnable(program, WORKING_DIRECTORY, request.timeoutMs);
  if (refusal !== undefined) return { kind: "failed", error: refusal };
  const run = randomUUID();
  const child = spawnHook(request, run);
  if (child.pid === undefined) {
    return await new Promise((resolve) => {
      child.once("error", (error) => resolve({ kind: "failed", error: `Cannot start ${program}: ${error.message}` }));
    });
  }
  child.on("error", () => {});
  const exit = trackExit(child);
  const output = captureOutput(child);
  const status = await exit.wait(Math.max(1, request.timeoutMs - (performance.now() - startedAt)));
  if (status === undefined) await endHookProcesses(child.pid, run);
  await output.end(OUTPUT_TIMEOUT_MS);
  if (status?.code === 0) return { kind: "done" };
  return { kind: "failed", error: failureOf(request, status, output.text()) };
}

function spawnHook({ argv, vmId }: HookRequest, run: string): ChildProcessByStdio<null, Readable, Readable> {
  const [program = "", ...args] = argv;
  return spawn(program, args, {
    cwd: WORKING_DIRECTORY,
    env: {
      ...baseEnvironment(findUser((user) => user.uid === process.getuid?.())),
      [HOOK_VM_VARIABLE]: vmId,
      [HOOK_RUN_VARIABLE]: run,
    },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function failureOf(request: HookRequest, status: ExitStatus | undefined, output: string): string {
  const said = output === "" ? "" : `: ${output}`;
  const program = request.argv[0];
  if (status === undefined) return `${program} did not end within ${request.timeoutMs} ms and was killed${said}`;
  if (status.signal !== undefined) return `${program} was killed by ${status.signal}${said}`;
  return `${program} ended with exit code ${status.code}${said}`;
}
