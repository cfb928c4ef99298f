/**
 * From the death of a VMM to the line that says so: one at a time, and all at once.
 *
 * Both ends are read by one clock, the bench's: just before it kills, and when the agent's line arrives.
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { type BenchHost, pause, vmIds, withBenchHost } from "./bench_host.ts";
import { quantile, say } from "./figures.ts";
import type { WatchedAgent } from "./watched_agent.ts";

const VMS = 1_000;
const SINGLE_KILLS = 300;
const DETECTED = "orphaned vm detected";
const SINGLE_MAX_MS = 10;
const ALL_MAX_MS = 250;
/** Until the first probes of what was just adopted are over. */
const SETTLE_MS = 7_000;

export async function bench(): Promise<void> {
  await withBenchHost(single);
  await withBenchHost((host) => allAtOnce(host, false));
  await withBenchHost((host) => allAtOnce(host, true));
}

async function single(host: BenchHost): Promise<void> {
  const ids = vmIds("vm", VMS);
  host.writeRecords(ids.map((id) => ({ id, vmm: "process" })));
  const { pids } = await host.startSleepers(ids.map((id) => ({ id })));
  const agent = await adopted(host);
  const delaysMs: number[] = [];
  for (let kill = 0; kill < SINGLE_KILLS; kill += 1) {
    const id = ids[(kill * 7) % VMS] ?? "";
    const detected = agent.waitForText([DETECTED, `vm_id=${id} `]);
    const killedAtMs = performance.now();
    process.kill(pids.get(id) ?? 0, "SIGKILL");
    delaysMs.push((await detected) - killedAtMs);
    await pause(20);
  }
  const what = `${SINGLE_KILLS} single kills among ${VMS} VMs`;
  say(`${what}: to detected, p50`, quantile(delaysMs, 0.5), "ms");
  say(`${what}: to detected, p99`, quantile(delaysMs, 0.99), "ms", { atMost: SINGLE_MAX_MS });
  say(`${what}: to detected, longest`, Math.max(...delaysMs), "ms");
}

async function allAtOnce(host: BenchHost, recovers: boolean): Promise<void> {
  const ids = vmIds("vm", VMS);
  host.writeRecords(ids.map((id) => ({ id, vmm: "process", argv: ["/bin/sleep", "3600"] })));
  const { pids } = await host.startSleepers(ids.map((id) => ({ id })));
  const agent = await adopted(host, { recovery: { enabled: recovers } });
  assert.equal(agent.lines(DETECTED).length, 0);
  const killedAtMs = new Map<string, number>();
  for (const [id, pid] of pids) {
    killedAtMs.set(id, performance.now());
    process.kill(pid, "SIGKILL");
  }
  const lines = await agent.waitForLines(DETECTED, VMS);
  const delaysMs = lines.map(({ fields, atMs }) => atMs - (killedAtMs.get(fields.get("vm_id") ?? "") ?? Number.NaN));
  const firstKillAtMs = Math.min(...killedAtMs.values());
  const what = `${VMS} killed at once, ${recovers ? "recovery on" : "detection only"}`;
  say(`${what}: first kill to last detected`, Math.max(...lines.map((line) => line.atMs)) - firstKillAtMs, "ms", {
    atMost: ALL_MAX_MS,
  });
  say(`${what}: to kill them took`, Math.max(...killedAtMs.values()) - firstKillAtMs, "ms");
  say(`${what}: never said`, VMS - new Set(lines.map(({ fields }) => fields.get("vm_id"))).size, "VMs", { atMost: 0 });
  say(`${what}: said before the kill`, delaysMs.filter((delay) => !(delay >= 0)).length, "VMs", { atMost: 0 });
  if (!recovers) return;
  const healthy = await agent.waitForLines("vm recovery successful", VMS);
  say(`${what}: first kill to last healthy`, Math.max(...healthy.map((line) => line.atMs)) - firstKillAtMs, "ms");
  say(`${what}: attempts that failed`, agent.lines("vm recovery attempt failed").length, "", { atMost: 0 });
}

async function adopted(host: BenchHost, configuration: object = {}): Promise<WatchedAgent> {
  const agent = host.startAgent(configuration);
  const [line] = await agent.waitForLines("reliability subsystem started", 1);
  assert.equal(line?.fields.get("adopted"), String(VMS));
  await pause(SETTLE_MS);
  return agent;
}
