/**
 * Runs seeds: `main.ts --seeds N [--seed S] [--hours H] [--mutant NAME]`.
 *
 * Many seeds are shared out to one process per core. The last line is `N seeds, H simulated hours, V violations`; the exit
 * code is 1 if there are any, 64 for arguments that make no sense.
 * @module
 */

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadDrain } from "./drain.ts";
import { runMutant } from "./mutant_run.ts";
import { runSeed } from "./run_seed.ts";

interface Command {
  readonly seeds: number;
  readonly firstSeed: number;
  readonly hours: number;
  readonly mutant: string | undefined;
  readonly stopAtFirst: boolean;
  readonly isWorker: boolean;
}

interface Tally {
  readonly seeds: number;
  readonly hours: number;
  readonly violations: number;
}

const PARALLEL_SEEDS_MIN = 20;
const HOURS_DEFAULT = "2";

async function main(): Promise<number> {
  const command = parseCommand(process.argv.slice(2));
  if (command === undefined) {
    console.error("usage: main.ts --seeds N [--seed S] [--hours H] [--mutant NAME] [--stop-at-first]");
    return 64;
  }
  if (command.mutant !== undefined) {
    const outcome = await runMutant(command.mutant, argumentsOf(command));
    process.stdout.write(outcome.output);
    return outcome.code;
  }
  const isParallel = !command.isWorker && command.seeds >= PARALLEL_SEEDS_MIN && availableParallelism() > 1;
  const tally = isParallel ? await runInWorkers(command) : await runHere(command);
  console.log(`${tally.seeds} seeds, ${tally.hours.toFixed(1)} simulated hours, ${tally.violations} violations`);
  return tally.violations > 0 ? 1 : 0;
}

function parseCommand(args: string[]): Command | undefined {
  const { values } = parseArgs({
    args,
    options: {
      seeds: { type: "string", default: "200" },
      seed: { type: "string", default: "1" },
      hours: { type: "string", default: HOURS_DEFAULT },
      mutant: { type: "string" },
      "stop-at-first": { type: "boolean", default: false },
      worker: { type: "boolean", default: false },
    },
  });
  const seeds = Number(values.seeds);
  const firstSeed = Number(values.seed);
  const hours = Number(values.hours);
  if (!Number.isInteger(seeds) || seeds < 1 || !Number.isInteger(firstSeed) || !(hours > 0)) return undefined;
  return {
    seeds,
    firstSeed,
    hours,
    mutant: values.mutant,
    stopAtFirst: values["stop-at-first"],
    isWorker: values.worker,
  };
}

function argumentsOf(command: Command): string[] {
  const { seeds, firstSeed, hours, stopAtFirst } = command;
  const args = ["--seeds", String(seeds), "--seed", String(firstSeed), "--hours", String(hours)];
  return stopAtFirst ? [...args, "--stop-at-first"] : args;
}

async function runHere(command: Command): Promise<Tally> {
  const drain = await loadDrain();
  let hours = 0;
  let violations = 0;
  let seeds = 0;
  for (let seed = command.firstSeed; seed < command.firstSeed + command.seeds; seed++) {
    const result = await runSeed({ seed, hours: command.hours, drain });
    seeds++;
    hours += result.simulatedHours;
    if (result.violation === undefined) continue;
    violations++;
    console.log(result.report.join("\n"));
    if (command.stopAtFirst) break;
  }
  return { seeds, hours, violations };
}

async function runInWorkers(command: Command): Promise<Tally> {
  const workers = Math.min(availableParallelism(), 2);
  const share = Math.ceil(command.seeds / workers);
  const parts: Promise<Tally>[] = [];
  for (let index = 0; index < workers; index++) {
    const seeds = Math.min(share, command.seeds - index * share);
    if (seeds > 0) parts.push(runWorker({ ...command, seeds, firstSeed: command.firstSeed + index * share }));
  }
  const tallies = await Promise.all(parts);
  return {
    seeds: tallies.reduce((sum, tally) => sum + tally.seeds, 0),
    hours: tallies.reduce((sum, tally) => sum + tally.hours, 0),
    violations: tallies.reduce((sum, tally) => sum + tally.violations, 0),
  };
}

/** Prints what a worker prints, save its last line, which it returns. A worker that fails otherwise is a violation. */
function runWorker(command: Command): Promise<Tally> {
  const script = fileURLToPath(import.meta.url);
  const runtimeArgs = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const args = [...runtimeArgs, script, "--worker", ...argumentsOf(command)];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (chunk: string) => {
      output += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      const found = /(\d+) seeds, ([\d.]+) simulated hours, (\d+) violations\n$/.exec(output);
      if (found === null) {
        process.stdout.write(output);
        console.log(`worker for seeds from ${command.firstSeed} ended with code ${code} and no tally`);
        resolve({ seeds: 0, hours: 0, violations: 1 });
        return;
      }
      process.stdout.write(output.slice(0, found.index));
      resolve({ seeds: Number(found[1]), hours: Number(found[2]), violations: Number(found[3]) });
    });
  });
}

process.exitCode = await main();
