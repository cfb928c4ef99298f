/**
 * Says in a sentence why a program cannot be started.
 *
 * The system call's own answer is one word for many causes: `ENOENT` is a missing program, a missing interpreter, or a
 * missing working directory. And a program on a file server that went away would hold the agent itself, which waits for
 * its child to begin; so the paths are asked first, with a deadline.
 * @module
 */

import { unreachable } from "../../domain/unreachable.ts";
import { type PathStat, statPath } from "../process/path_stat.ts";

/** Undefined when nothing speaks against it. */
export async function whyNotRunnable(program: string, cwd: string, timeoutMs: number): Promise<string | undefined> {
  if (!program.startsWith("/")) return `Cannot start ${program} as the program must be an absolute path`;
  const [file, directory] = await Promise.all([statPath(program, timeoutMs), statPath(cwd, timeoutMs)]);
  const unfit =
    whyUnfit(file, "file") ?? (file.kind === "found" && !file.facts.executable ? "not executable" : undefined);
  if (unfit !== undefined) return `Cannot start ${program} as it must be a program: it is ${unfit}`;
  const unfitCwd = whyUnfit(directory, "directory");
  if (unfitCwd === undefined) return undefined;
  return `Cannot start ${program} as its working directory must be one: ${cwd} is ${unfitCwd}`;
}

function whyUnfit(stat: PathStat, type: "file" | "directory"): string | undefined {
  switch (stat.kind) {
    case "found":
      return stat.facts.type === type ? undefined : `not a ${type}`;
    case "absent":
      return "missing";
    case "timed_out":
      return "on a file system that does not answer";
    case "failed":
      // Such as a missing right to look: the start itself will tell.
      return undefined;
    default:
      return unreachable(stat);
  }
}
