/**
 * A fake VMM started by a test, in a temporary directory of its own.
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Control, tell } from "./control.ts";
import { type FakeVmmKind, fakeVmmArgv } from "./executable.ts";

const START_TIMEOUT_MS = 15_000;

export interface FakeVmm {
  readonly pid: number;
  readonly id: string;
  readonly socketPath: string;
  tell(control: Control): void;
  /** Everything it wrote so far. */
  output(): string;
  /** Resolves with its exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  /** Ends it and removes its files. */
  end(): Promise<void>;
}

/** Resolves once it listens or has exited. */
export async function startFakeVmm(kind: FakeVmmKind, control: Control = {}): Promise<FakeVmm> {
  const directory = mkdtempSync(join(tmpdir(), "fake-vmm-"));
  const id = `fake-${process.pid}-${directory.slice(-6)}`;
  const socketPath = join(directory, "api.sock");
  const controlPath = join(directory, "control.json");
  tell(controlPath, control);
  const [program, ...args] = fakeVmmArgv({ kind, id, socketPath, controlPath });
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const listening = new Promise<void>((resolve) => {
    const collect = (bytes: Buffer): void => {
      output += bytes.toString();
      if (output.includes("listening")) resolve();
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
  });
  const exited = exitOf(child);
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    rmSync(directory, { recursive: true, force: true });
  };
  const timeout = setTimeout(() => child.kill("SIGKILL"), START_TIMEOUT_MS);
  await Promise.race([listening, exited]);
  clearTimeout(timeout);
  if (child.pid === undefined) throw new Error("Cannot start a fake VMM as it has no pid");
  return { pid: child.pid, id, socketPath, tell: (next) => tell(controlPath, next), output: () => output, exited, end };
}

async function exitOf(child: ChildProcess): Promise<number | string> {
  const [code, signal] = await once(child, "exit");
  return code ?? signal;
}
