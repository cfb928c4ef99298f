/**
 * Runs one program to its end, with its output kept.
 * @module
 */

import { spawn } from "node:child_process";
import type { Readable } from "node:stream";

export interface RunOptions {
  /** What it reads on stdin. @default nothing */
  readonly input?: string | Readable;
  /** It is killed then. */
  readonly timeoutMs?: number;
}

export interface Ended {
  /** -1 where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runProgram(argv: readonly string[], { input, timeoutMs }: RunOptions = {}): Promise<Ended> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // A program that does not read all of its input is judged by how it ends.
  child.stdin.on("error", () => undefined);
  if (input === undefined || typeof input === "string") child.stdin.end(input ?? "");
  else input.pipe(child.stdin);
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exitCode) => resolve(exitCode ?? -1));
    });
    return { code, stdout, stderr };
  } finally {
    clearTimeout(timer);
  }
}
