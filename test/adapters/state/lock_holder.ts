/**
 * A program that takes the instance lock, starts a child that outlives it, and stays until it is ended.
 *
 *     lock_holder.ts <registry> <directory of the locks>
 *
 * It prints `held <pid of the child>`, or the outcome that it got instead.
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { createInstanceLock } from "../../../src/adapters/state/instance_lock.ts";

const [registryPath = "", directory = ""] = process.argv.slice(2);
const outcome = await createInstanceLock({ registryPath, directory, uid: process.geteuid?.() ?? 0 }).acquire();
if (outcome.kind === "acquired") {
  const child = spawn("/bin/sleep", ["600"], { detached: true, stdio: "ignore" });
  child.unref();
  // What nobody refers to is collected now, if ever.
  for (let count = 0; count < 200; count += 1) new Uint8Array(1_000_000).fill(1);
  console.log(`held ${child.pid}`);
  setInterval(() => undefined, 1000);
} else console.log(outcome.kind);
