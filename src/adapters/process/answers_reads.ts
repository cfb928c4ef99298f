/**
 * Whether a file of `/proc` can be read without end, tried by a child process.
 *
 * To read the memory of a process takes the lock of its map. A thread that waits for a lost disk may hold that lock, and
 * whoever reads waits with it: the reason why `ps` hangs on a sick host.
 * @module
 */

import { spawn } from "node:child_process";

export function answersReads(path: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn("/usr/bin/head", ["-c", "1", "--", path], { stdio: "ignore" });
    const finish = (answers: boolean) => {
      clearTimeout(timeout);
      resolve(answers);
    };
    const timeout = setTimeout(() => {
      child.kill("SIGKILL");
      child.unref();
      finish(false);
    }, timeoutMs);
    // An error of its own is an answer too.
    child.on("error", () => finish(false));
    child.on("exit", () => finish(true));
  });
}
