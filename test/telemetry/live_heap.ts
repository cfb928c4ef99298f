/**
 * How much memory an agent's telemetry keeps alive beside a collector that misbehaves.
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { withCollector } from "./collector.ts";
import type { MemorySample } from "./exporting_program.ts";
import type { Fault } from "./faults.ts";
import { freePort } from "./free_port.ts";

const PROGRAM = fileURLToPath(new URL("exporting_program.ts", import.meta.url));

export interface LiveHeap {
  readonly samples: readonly MemorySample[];
  /** Least live bytes of the last third of the samples less those of the middle third: what stays grows both. */
  readonly gainedBytes: number;
}

/** Exports `count` times, which takes some 10 to 20 ms each. */
export async function liveHeapBeside({ behaviour }: Fault, count: number): Promise<LiveHeap> {
  const samples: MemorySample[] = [];
  await withCollector(async (collector) => {
    if (behaviour !== "down") collector.behave(behaviour);
    const endpoint = behaviour === "down" ? `http://127.0.0.1:${await freePort()}` : collector.url;
    const args = "deno" in process.versions ? ["run", "-A", "--no-check", PROGRAM] : [PROGRAM];
    const child = spawn(process.execPath, [...args, endpoint, String(count)], { stdio: ["ignore", "pipe", "inherit"] });
    const exited = once(child, "exit");
    try {
      let text = "";
      child.stdout.on("data", (bytes: Buffer) => {
        text += bytes.toString();
      });
      await once(child.stdout, "end");
      samples.push(
        ...text
          .trim()
          .split("\n")
          .map((line): MemorySample => JSON.parse(line)),
      );
    } finally {
      child.kill("SIGKILL");
      await exited;
    }
  });
  const third = Math.floor(samples.length / 3);
  const gainedBytes = leastOf(samples.slice(2 * third)) - leastOf(samples.slice(third, 2 * third));
  return { samples, gainedBytes };
}

function leastOf(samples: readonly MemorySample[]): number {
  return Math.min(...samples.map(({ heapBytes }) => heapBytes));
}
