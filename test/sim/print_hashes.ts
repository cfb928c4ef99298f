/**
 * Prints the digest of the events of some seeds, for a comparison between runtimes.
 * @module
 */

import { loadDrain } from "./drain.ts";
import { runSeed } from "./run_seed.ts";

const SEEDS = [1, 2, 3, 10, 20, 30, 40, 50];

const drain = await loadDrain();
for (const seed of SEEDS) {
  const { hash, eventsRun } = await runSeed({ seed, hours: 1, drain });
  console.log(`seed ${seed}: ${hash.toString(16).padStart(8, "0")} after ${eventsRun} events`);
}
