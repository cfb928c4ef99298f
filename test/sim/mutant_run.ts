/**
 * Runs the simulator on a broken core: a copy of the sources with one change, in a temporary directory.
 *
 * So the core needs no switches by which it could be broken.
 * @module
 */

import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MUTANTS, type Mutant } from "./mutants.ts";

const LAST_LINES = 3;
const TOP = fileURLToPath(new URL("../..", import.meta.url));

export interface MutantOutcome {
  /** 1 when the mutant was caught. */
  readonly code: number;
  readonly lastLines: string;
  readonly output: string;
}

/**
 * @param args for `main.ts` there
 * @throws {Error} when there is no such mutant, or its text does not occur exactly once
 */
export async function runMutant(name: string, args: readonly string[]): Promise<MutantOutcome> {
  const mutant = MUTANTS.find((each) => each.name === name);
  if (mutant === undefined) {
    const names = MUTANTS.map((each) => each.name).join(", ");
    throw new Error(`Cannot run a mutant as it must be one of ${names}: current value is ${name}`);
  }
  const directory = await mkdtemp(join(tmpdir(), "metald-mutant-"));
  try {
    await copyBroken(mutant, directory);
    return await runThere(directory, args);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function copyBroken(mutant: Mutant, directory: string): Promise<void> {
  for (const path of ["src", "test/sim", "package.json"]) {
    await cp(join(TOP, path), join(directory, path), { recursive: true });
  }
  await symlink(join(TOP, "node_modules"), join(directory, "node_modules"));
  for (const edit of mutant.edits) {
    const path = join(directory, edit.file);
    const source = await readFile(path, "utf8");
    const count = source.split(edit.find).length - 1;
    if (count !== 1) {
      const rule = `the text that ${mutant.name} replaces must occur once`;
      throw new Error(`Cannot break ${edit.file} as ${rule}: current value is ${count}`);
    }
    await writeFile(
      path,
      source.replace(edit.find, () => edit.replace),
    );
  }
}

function runThere(directory: string, args: readonly string[]): Promise<MutantOutcome> {
  const runtimeArgs = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const script = join(directory, "test/sim/main.ts");
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...runtimeArgs, script, ...args], {
      cwd: directory,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (chunk: string) => {
        output += chunk;
      });
    }
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ code: code ?? 70, lastLines: output.trimEnd().split("\n").slice(-LAST_LINES).join("\n"), output });
    });
  });
}
