/**
 * How fast the simulator lives through the lives of hosts.
 *
 *     npm run bench -- sim [-- <seeds>]
 * @module
 */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ROOT, tool } from "../tool/root.ts";
import { say } from "./figures.ts";

const SEEDS = "100";

export async function bench([seeds = SEEDS]: readonly string[]): Promise<void> {
  const startedAtMs = performance.now();
  const args = [join(ROOT, "test/sim/main.ts"), "--seeds", seeds];
  const { stdout } = spawnSync(tool("bun"), args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  const minutes = (performance.now() - startedAtMs) / 60_000;
  const [, hours, violations] = / ([\d.]+) simulated hours, (\d+) violations\n$/.exec(stdout) ?? [];
  say("simulated hours a minute, all cores", Number(hours) / minutes, "hours", { atLeast: 10_000 });
  say("seeds a second, all cores", Number(seeds) / minutes / 60, "seeds");
  say("violations", Number(violations), "", { atMost: 0 });
}
