/**
 * Compiles `odd_process.c`.
 * @module
 */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Why tests that need odd processes are skipped; false when they need not be. */
export const withoutCompiler: string | false =
  spawnSync("cc", ["--version"], { stdio: "ignore" }).status === 0 ? false : "needs a C compiler (cc)";

export interface OddProgram {
  readonly path: string;
  dispose(): void;
}

export function compileOddProcess(): OddProgram {
  const directory = mkdtempSync(join(tmpdir(), "metald-odd-"));
  const path = join(directory, "odd_process");
  const source = fileURLToPath(new URL("./odd_process.c", import.meta.url));
  execFileSync("cc", ["-O1", "-pthread", "-o", path, source]);
  return { path, dispose: () => rmSync(directory, { recursive: true, force: true }) };
}
