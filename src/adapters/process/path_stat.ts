/**
 * What stands at a path, asked with a deadline that holds.
 *
 * A `stat` on a file server that went away does not return, and takes the thread that called it along: the agent's own,
 * or one of the few that serve all its asynchronous file calls. So a child process makes the call and is abandoned when it
 * does not answer. That costs 3 ms, which is little beside the start of a VM.
 * @module
 */

import { unreachable } from "../../domain/unreachable.ts";
import { runBriefly } from "./brief_program.ts";

const FILE_TYPE_MASK = 0o170000;
const BLOCK_DEVICE = 0o060000;
const DIRECTORY = 0o040000;
const REGULAR_FILE = 0o100000;
const EXECUTABLE_BITS = 0o111;

export interface PathFacts {
  readonly type: "file" | "directory" | "block_device" | "other";
  /** Whether anybody may execute it. */
  readonly executable: boolean;
  /** Number of the device that holds it, as in `struct stat`; decimal, since it may exceed what a number holds. */
  readonly device: string;
  readonly inode: string;
  /** Of a device file: which device it is. */
  readonly major: number;
  readonly minor: number;
}

export type PathStat =
  | { readonly kind: "found"; readonly facts: PathFacts }
  | { readonly kind: "absent" }
  | { readonly kind: "failed"; readonly error: string }
  | { readonly kind: "timed_out" };

/** Follows links. `stat` is the one of coreutils or of busybox. */
export async function statPath(path: string, timeoutMs: number): Promise<PathStat> {
  const end = await runBriefly("stat", ["-L", "-c", "%f %d %i %t %T", "--", path], timeoutMs);
  switch (end.kind) {
    case "ended":
      return end.code === 0 ? parseFacts(end.stdout) : parseFailure(end.stderr);
    case "timed_out":
    case "failed":
      return end;
    default:
      return unreachable(end);
  }
}

function parseFacts(output: string): PathStat {
  const [mode, device, inode, major, minor] = output.trim().split(" ");
  if (device === undefined || inode === undefined) {
    return { kind: "failed", error: `Cannot read the output of stat: current value is ${JSON.stringify(output)}` };
  }
  const bits = Number.parseInt(mode ?? "", 16);
  return {
    kind: "found",
    facts: {
      type: typeOf(bits & FILE_TYPE_MASK),
      executable: (bits & EXECUTABLE_BITS) !== 0,
      device,
      inode,
      major: Number.parseInt(major ?? "", 16),
      minor: Number.parseInt(minor ?? "", 16),
    },
  };
}

function typeOf(fileType: number): PathFacts["type"] {
  if (fileType === REGULAR_FILE) return "file";
  if (fileType === DIRECTORY) return "directory";
  return fileType === BLOCK_DEVICE ? "block_device" : "other";
}

function parseFailure(stderr: string): PathStat {
  const error = stderr.trim().split("\n")[0] ?? "";
  const absent = error.endsWith("No such file or directory") || error.endsWith("Not a directory");
  return absent ? { kind: "absent" } : { kind: "failed", error: error === "" ? "stat failed" : error };
}
