/**
 * Runs a program of the system that answers a question, with a deadline that holds.
 *
 * Where the question may hang in the kernel, so may the program, and killing it may take until the kernel lets go. So it
 * is abandoned at the deadline and nothing of ours waits for it.
 * @module
 */

import { spawn } from "node:child_process";

const OUTPUT_BYTES_MAX = 4096;

export type BriefEnd =
  | { readonly kind: "ended"; readonly code: number | undefined; readonly stdout: string; readonly stderr: string }
  | { readonly kind: "timed_out" }
  /** It could not be run: there is no such program, or no file descriptor or process left. */
  | { readonly kind: "failed"; readonly error: string };

/** @param outputBytesMax about as many bytes of each stream are kept, the first ones */
export function runBriefly(
  program: string,
  args: readonly string[],
  timeoutMs: number,
  outputBytesMax = OUTPUT_BYTES_MAX,
): Promise<BriefEnd> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    });
    let timeout: ReturnType<typeof setTimeout> | undefined;
    const finish = (end: BriefEnd) => {
      clearTimeout(timeout);
      resolve(end);
    };
    child.on("error", (error) => finish({ kind: "failed", error: `Cannot run ${program}: ${error.message}` }));
    // A child that was not made has no streams either, and only its error follows.
    if (child.pid === undefined) return;
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].on("data", (chunk: Buffer) => {
        if (output[name].length < outputBytesMax) output[name] += chunk.toString("utf8");
      });
      child[name].on("error", () => {});
    }
    child.on("close", (code) => finish({ kind: "ended", code: code ?? undefined, ...output }));
    timeout = setTimeout(() => {
      child.kill("SIGKILL");
      child.unref();
      child.stdout.destroy();
      child.stderr.destroy();
      finish({ kind: "timed_out" });
    }, timeoutMs);
  });
}
