/**
 * Takes away what an agent that was killed leaves where the locks of all agents lie.
 *
 * The next agent of its registry would; of a test's registry there is none.
 * @module
 */

import process from "node:process";
import { createInstanceLock, lockDirectory } from "../../src/adapters/state/instance_lock.ts";

/** To be called while the registry still exists, as one of its locks goes by its inode. */
export async function freeLock(registryPath: string): Promise<void> {
  const uid = process.geteuid?.() ?? 0;
  const directory = lockDirectory(uid, process.env["XDG_RUNTIME_DIR"]);
  const lock = await createInstanceLock({ registryPath, directory, uid }).acquire();
  if (lock.kind === "acquired") lock.release();
}
