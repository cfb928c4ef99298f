/**
 * `npm run build`: compiles `src/main.ts` and its runtime into the one file `dist/metald`.
 *
 * The binary takes nothing from the directory it runs in: without the `--no-compile-autoload-*` flags it would load `.env` and
 * `bunfig.toml` from there, and a `preload` in the latter is code that runs as root. Bytecode halves the time to start.
 * https://bun.com/docs/bundler/executables
 *
 * It is built under a temporary name and renamed, so that a running `dist/metald` can be replaced and a failed build leaves the
 * old one.
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT, tool } from "./root.ts";

const dist = join(ROOT, "dist");
mkdirSync(dist, { recursive: true });
const workDirectory = mkdtempSync(join(dist, ".build-"));
try {
  const built = join(workDirectory, "metald");
  const target = join(dist, "metald");
  const args = [
    ...["build", "--compile", "--minify", "--bytecode", "--format=esm", join(ROOT, "src/main.ts"), "--outfile", built],
    ...["dotenv", "bunfig", "tsconfig", "package-json"].map((what) => `--no-compile-autoload-${what}`),
    "--compile-exec-argv=--no-addons --no-ffi-cc",
  ];
  const { status, stdout, stderr } = spawnSync(tool("bun"), args, { cwd: workDirectory, encoding: "utf8" });
  if (status === 0) {
    renameSync(built, target);
    console.log(`dist/metald: ${(statSync(target).size / 1e6).toFixed(0)} MB`);
  } else {
    console.error(stdout + stderr);
    process.exitCode = 1;
  }
} finally {
  rmSync(workDirectory, { recursive: true, force: true });
}
