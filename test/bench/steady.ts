/**
 * What the agent takes of its host while nothing happens: processor and memory, by kind of VM and by their number.
 *
 * All intervals are the defaults. The VMM's processes are sleepers whose command line names the VM's socket, which one other process
 * serves.
 *
 *     npm run bench -- steady [-- <seconds to measure>]
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ROOT, tool } from "../tool/root.ts";
import { type BenchHost, type BenchVm, pause, vmIds, withBenchHost } from "./bench_host.ts";
import { say } from "./figures.ts";
import { cpuShare, residentMib } from "./process_cost.ts";

const SECONDS = 60;
/** Until every VM was probed twice, so that the probes are spread, and the start's garbage is collected. */
const SETTLE_MS = 45_000;
const FEW = 1_000;
const MANY = 10_000;

interface Steady {
  /** Of one core, in percent. */
  readonly cpuPercent: number;
  readonly residentMib: number;
}

export async function bench([seconds = String(SECONDS)]: readonly string[]): Promise<void> {
  const none = await measure("process", 0, Number(seconds));
  say("no VM: processor", none.cpuPercent, "% of a core");
  say("no VM: resident", none.residentMib, "MiB");
  const few = await measure("process", FEW, Number(seconds));
  say(`${FEW} process VMs: processor`, few.cpuPercent, "% of a core", { atMost: 0.5 });
  say(`${FEW} process VMs: resident`, few.residentMib, "MiB", { atMost: 80 });
  for (const [vmm, atMost] of [
    ["firecracker", 1],
    ["qemu", 3],
  ] as const) {
    const { cpuPercent, residentMib } = await measure(vmm, FEW, Number(seconds));
    say(`${FEW} ${vmm} VMs: processor`, cpuPercent, "% of a core", { atMost });
    say(`${FEW} ${vmm} VMs: resident`, residentMib, "MiB", { atMost: 80 });
  }
  const many = await measure("process", MANY, Number(seconds));
  say(`${MANY} process VMs: processor`, many.cpuPercent, "% of a core");
  say(`${MANY} process VMs: resident`, many.residentMib, "MiB", { atMost: 200 });
  const ratio = many.cpuPercent / MANY / (few.cpuPercent / FEW);
  say(`processor for a VM at ${MANY}, beside that at ${FEW}`, ratio, "x", { atMost: 1.2 });
}

async function measure(vmm: BenchVm["vmm"], count: number, seconds: number): Promise<Steady> {
  let steady: Steady | undefined;
  await withBenchHost(async (host) => {
    const server = await startVms(host, vmm, count);
    try {
      const agent = host.startAgent();
      await agent.waitForLines("vm adopted", count);
      await agent.waitForLines("reliability subsystem started", 1);
      await pause(SETTLE_MS);
      const cpuPercent = 100 * (await cpuShare(agent.pid, seconds));
      steady = { cpuPercent, residentMib: residentMib(agent.pid) };
      say(`  (${vmm}: probes that failed)`, agent.lines("vm health check failed").length, "", { atMost: 0 });
    } finally {
      server?.stdin?.end();
    }
  });
  if (steady === undefined) throw new TypeError("Cannot happen as the body has ended");
  return steady;
}

/** @returns the process that serves their sockets, which ends when its standard input does */
async function startVms(host: BenchHost, vmm: BenchVm["vmm"], count: number): Promise<ChildProcess | undefined> {
  const ids = vmIds("vm", count);
  const socketOf = (id: string): string => join(host.directory, `${id}.sock`);
  if (vmm === "process") {
    host.writeRecords(ids.map((id) => ({ id, vmm, argv: ["/bin/sleep", "3600"] })));
    await host.startSleepers(ids.map((id) => ({ id })));
    return undefined;
  }
  host.writeRecords(ids.map((id) => ({ id, vmm, socket: socketOf(id), argv: [`/usr/bin/${vmm}`, socketOf(id)] })));
  await host.startSleepers(ids.map((id) => ({ id, title: `--api-sock=${socketOf(id)}` })));
  const server = spawn(tool("bun"), [join(ROOT, "test/bench/api_servers.ts"), vmm, ...ids.map(socketOf)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(server.stdout, "data");
  return server;
}
