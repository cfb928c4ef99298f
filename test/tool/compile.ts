/**
 * Compiles a program and its runtime into one file.
 *
 * The binary takes nothing from the directory it runs in: without the `--no-compile-autoload-*` flags it would load `.env` and
 * `bunfig.toml` from there, and a `preload` in the latter is code that runs as root. Bytecode halves the time to start.
 * https://bun.com/docs/bundler/executables
 * @module
 */

import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import type { Architecture } from "./base_executable.ts";
import { tool } from "./root.ts";

export interface CompileOptions {
  readonly entry: string;
  readonly outfile: string;
  readonly architecture: Architecture;
  /** The executable that `makeBaseExecutable` made. */
  readonly base: string;
}

/** @throws with what the compiler said */
export function compile({ entry, outfile, architecture, base }: CompileOptions): void {
  const args = [
    ...["build", "--compile", "--minify", "--bytecode", "--format=esm", entry, "--outfile", outfile],
    ...[`--target=bun-linux-${architecture}`, `--compile-executable-path=${base}`],
    ...["dotenv", "bunfig", "tsconfig", "package-json"].map((what) => `--no-compile-autoload-${what}`),
    "--compile-exec-argv=--no-addons --no-ffi-cc",
  ];
  const { status, stdout, stderr } = spawnSync(tool("bun"), args, { cwd: dirname(outfile), encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot compile ${entry}\n${stdout}${stderr}`);
}
