/**
 * What an agent's memory does beside each collector that misbehaves: 2,000 exports of metrics and as many of traces, in the fast.
 *
 * `-- <exports>` for another number.
 * @module
 */

import { FAULTS } from "../telemetry/faults.ts";
import { liveHeapBeside } from "../telemetry/live_heap.ts";
import { say } from "./figures.ts";

const EXPORTS = 2_000;
/** A response of the least kind that stayed from each export would be more. */
const GAINED_MIB_MAX = 1;

export async function bench([count]: readonly string[]): Promise<void> {
  for (const fault of FAULTS) {
    const { samples, gainedBytes } = await liveHeapBeside(fault, Number(count ?? EXPORTS));
    const last = samples.at(-1);
    say(`a collector that ${fault.name}: live heap gained`, mib(gainedBytes), "MiB", { atMost: GAINED_MIB_MAX });
    say("  live heap, and all that is resident, at the end", mib(last?.heapBytes ?? Number.NaN), "MiB");
    say("", mib(last?.residentBytes ?? Number.NaN), "MiB");
  }
}

function mib(bytes: number): number {
  return bytes / 1_048_576;
}
