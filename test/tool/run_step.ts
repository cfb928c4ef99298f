/**
 * Runs one program to its end with its output kept, never for longer than a deadline.
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";

export interface StepOutcome {
  readonly passed: boolean;
  readonly output: string;
  readonly durationMs: number;
}

/** Of one program's output, in UTF-16 units: the end of it, as that is where runners sum up. */
const OUTPUT_LENGTH_MAX = 60_000;

export async function runStep(argv: readonly string[], cwd: string, timeoutMs: number): Promise<StepOutcome> {
  const startedAt = performance.now();
  const [program = "", ...args] = argv;
  const { FORCE_COLOR: _, ...environment } = process.env;
  // A group of its own, so that whatever a hanging test has started ends with it.
  const child = spawn(program, args, {
    cwd,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...environment, NO_COLOR: "1" },
  });
  const endGroup = () => signalGroup(child);
  const interrupted = () => {
    endGroup();
    process.exit(130);
  };
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-OUTPUT_LENGTH_MAX);
    });
  }
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    endGroup();
  }, timeoutMs);
  const passed = await new Promise<boolean>((resolve) => {
    child.once("error", (error) => {
      output += `${error.message}\n`;
      resolve(false);
    });
    child.once("close", (code) => resolve(code === 0));
  });
  clearTimeout(timer);
  process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
  if (timedOut) output += `ended after ${timeoutMs / 1_000}s, as that is its limit\n`;
  return { passed: passed && !timedOut, output, durationMs: performance.now() - startedAt };
}

function signalGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group has ended already.
  }
}
