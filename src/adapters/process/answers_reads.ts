/**
 * Whether a file of `/proc` can be read without end, tried by a child process.
 *
 * To read the memory of a process takes the lock of its map. A thread that waits for a lost disk may hold that lock, and
 * whoever reads waits with it: the reason why `ps` hangs on a sick host.
 * @module
 */

import { runBriefly } from "./brief_program.ts";

/**
 * An error of the read is an answer too.
 *
 * @throws {Error} When there is no child process to try it.
 */
export async function answersReads(path: string, timeoutMs: number): Promise<boolean> {
  const end = await runBriefly("head", ["-c", "1", "--", path], timeoutMs);
  if (end.kind === "failed") throw new Error(end.error);
  return end.kind === "ended";
}
