/**
 * How long the agent takes from its start until it is ready, having adopted 1,000 VMs that run: on a host that it never saw, after a
 * crash, and after a stop.
 * @module
 */

import assert from "node:assert/strict";
import { isAlive } from "../host/processes.ts";
import { pause, vmIds, withBenchHost } from "./bench_host.ts";
import { median, say } from "./figures.ts";
import { cpuMs } from "./process_cost.ts";
import type { WatchedAgent } from "./watched_agent.ts";

const VMS = 1_000;
const ROUNDS = 5;
const READY_MAX_MS = 1_000;
/** Processor time in half a second above which it still works on what it found. */
const BUSY_MS = 20;

/** What an agent's start may find: nothing of an earlier one, or what one left that was killed, or that was stopped. */
const STARTS = ["first", "after a kill", "after a stop"] as const;

export async function bench(): Promise<void> {
  await withBenchHost(async (host) => {
    const ids = vmIds("vm", VMS);
    host.writeRecords(ids.map((id) => ({ id, vmm: "process", argv: ["/bin/sleep", "3600"] })));
    const { pids } = await host.startSleepers(ids.map((id) => ({ id })));
    const readyMs = new Map(STARTS.map((start) => [start, [] as number[]]));
    const cpu = new Map(STARTS.map((start) => [start, [] as number[]]));
    for (let round = 0; round < ROUNDS; round += 1) {
      host.forgetState();
      for (const start of STARTS) {
        const agent = host.startAgent();
        const [line] = await agent.waitForLines("reliability subsystem started", 1);
        cpu.get(start)?.push(cpuMs(agent.pid));
        assert.equal(line?.fields.get("adopted"), String(VMS));
        readyMs.get(start)?.push((line?.atMs ?? Number.NaN) - agent.startedAtMs);
        await settled(agent);
        await agent.end(start === "after a kill" ? "SIGTERM" : "SIGKILL");
      }
    }
    assert.ok([...pids.values()].every(isAlive), "a VM was ended");
    for (const start of STARTS) {
      const values = readyMs.get(start) ?? [];
      say(`${start}: start to ready with ${VMS} VMs, median of ${ROUNDS}`, median(values), "ms", {
        atMost: READY_MAX_MS,
      });
      say("  the fastest", Math.min(...values), "ms");
      say("  processor time until then, median", median(cpu.get(start) ?? []), "ms");
    }
  });
}

/** Until it has written down what it knows, so that its successor finds that. */
async function settled({ pid }: WatchedAgent): Promise<void> {
  for (let before = Number.NEGATIVE_INFINITY; cpuMs(pid) - before > BUSY_MS; ) {
    before = cpuMs(pid);
    await pause(500);
  }
}
