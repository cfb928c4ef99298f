/**
 * From the death of a VMM until its VM is seen healthy again, less what the VMM itself needs to start: what the agent adds.
 *
 * A VM is killed once, as its first attempt is immediate and the next ones wait. Its own cold start is measured by starting the same
 * command line by hand, until the process runs or its monitor says `running`.
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { queryQemu } from "../../src/adapters/vmm/qemu.ts";
import { qemuGuest } from "../host/qemu_guest.ts";
import { QEMU } from "../host/requires.ts";
import { type BenchHost, type BenchVm, pause, vmIds, withBenchHost } from "./bench_host.ts";
import { median, quantile, say } from "./figures.ts";

const VICTIMS = 10;
const OTHERS = 1_000;
const ADDED_MAX_MS = 100;
const RECOVERED = "vm recovery successful";
/** Until the other VMs are old enough that a scan need not read all of each again, as VMs are on a real host. */
const SETTLE_MS = 70_000;
const QUERY_TIMEOUT_MS = 1_000;

interface Victim extends BenchVm {
  readonly argv: readonly [string, ...string[]];
}

export async function bench(): Promise<void> {
  await withBenchHost((host) => measure(host, "process VMs", processVictims(), 0));
  await withBenchHost((host) => measure(host, "process VMs", processVictims(), OTHERS));
  if (!QEMU.met()) {
    console.log(`  QEMU guests: skipped, needs ${QEMU.what}`);
    return;
  }
  await withBenchHost(async (host) => measure(host, "QEMU guests", await qemuVictims(host, "a"), 0));
  await withBenchHost(async (host) => measure(host, "QEMU guests", await qemuVictims(host, "b"), OTHERS));
}

function processVictims(): readonly Victim[] {
  return vmIds("victim", VICTIMS).map((id) => ({ id, vmm: "process", argv: ["/bin/sleep", "3600"] }));
}

async function qemuVictims(host: BenchHost, prefix: string): Promise<readonly Victim[]> {
  const guests = vmIds(`victim-${prefix}`, VICTIMS).map((id) => qemuGuest(host.directory, id));
  return (await Promise.all(guests)).map(({ id, argv, socketPath }) => ({ id, vmm: "qemu", argv, socket: socketPath }));
}

async function measure(host: BenchHost, kind: string, victims: readonly Victim[], others: number): Promise<void> {
  const coldMs = median(await coldStarts(victims));
  const otherIds = vmIds("other", others);
  host.writeRecords([...victims, ...otherIds.map((id) => ({ id, vmm: "process" as const }))]);
  await host.startSleepers(otherIds.map((id) => ({ id })));
  const agent = host.startAgent();
  const started = await agent.waitForLines("vm started", victims.length);
  await pause(SETTLE_MS);
  const addedMs: number[] = [];
  for (const { fields } of started) {
    const recovered = agent.waitForText([RECOVERED, `vm_id=${fields.get("vm_id")} `]);
    const killedAtMs = performance.now();
    process.kill(Number(fields.get("process_id")?.split("-").at(-2)), "SIGKILL");
    addedMs.push((await recovered) - killedAtMs - coldMs);
    await pause(200);
  }
  const what = `${kind} with ${others} others`;
  say(`${what}: the VMM's own cold start, median`, coldMs, "ms");
  say(`${what}: killed to healthy, beyond that, median`, median(addedMs), "ms", { atMost: ADDED_MAX_MS });
  say(`${what}: the slowest of ${victims.length}`, quantile(addedMs, 1), "ms", { atMost: ADDED_MAX_MS });
}

async function coldStarts(victims: readonly Victim[]): Promise<readonly number[]> {
  const durationsMs: number[] = [];
  for (const victim of victims) {
    const [program, ...args] = victim.argv;
    const startedAtMs = performance.now();
    const child = spawn(program, args, { stdio: "ignore" });
    const exited = once(child, "exit");
    try {
      await once(child, "spawn");
      if (victim.socket !== undefined) await answers(victim.socket, child);
      durationsMs.push(performance.now() - startedAtMs);
    } finally {
      child.kill("SIGKILL");
      await exited;
    }
  }
  return durationsMs;
}

async function answers(socketPath: string, vmm: ChildProcess): Promise<void> {
  while (vmm.exitCode === null) {
    const answer = await queryQemu(socketPath, QUERY_TIMEOUT_MS);
    if (answer.kind === "state" && answer.guest === "running") return;
    await pause(1);
  }
  throw new Error(`Cannot measure as the VMM must stay: current value is exit code ${vmm.exitCode}`);
}
