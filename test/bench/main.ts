/**
 * `npm run bench -- <name>...`: measures the built agent (`npm run build`) against what SPEC promises of it.
 *
 * A bench `<name>` is the file `<name>.ts` beside this one, exporting `bench()`. It prints what it measured beside the bound.
 * A bound that is missed is said and fails nothing, as a busy machine misses bounds too: the figures are for people.
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export interface BenchModule {
  /** @param args what follows `--` on the command line */
  readonly bench: (args: readonly string[]) => Promise<void>;
}

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

const separator = process.argv.indexOf("--");
const names = process.argv.slice(2, separator < 0 ? undefined : separator);
const args = separator < 0 ? [] : process.argv.slice(separator + 1);
const known = benchNames();
const unknown = names.filter((name) => !known.includes(name));
if (names.length === 0 || unknown.length > 0) {
  console.error(`usage: npm run bench -- <name>... [-- <argument>...], with one of: ${known.join(", ")}`);
  process.exitCode = 64;
} else {
  for (const name of names) await runBench(name);
}

async function runBench(name: string): Promise<void> {
  const { bench }: BenchModule = await import(`./${name}.ts`);
  console.log(
    `${name} (load ${loadavg()
      .map((load) => load.toFixed(1))
      .join(" ")})`,
  );
  await bench(args);
}

function benchNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(".ts"))
    .filter((file) => /^export async function bench\(/m.test(readFileSync(join(FOLDER, file), "utf8")))
    .map((file) => file.slice(0, -".ts".length))
    .sort();
}
