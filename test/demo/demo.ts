/**
 * `npm run demo`: three virtual machines, one of which is killed, and the agent that brings it back.
 *
 * Everything happens in a temporary directory. What was started is found by a mark in its environment and ended, also on failure
 * and on Ctrl-C.
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT, tool } from "../tool/root.ts";
import { Agent } from "./agent.ts";
import { DEMO_VARIABLE, DEMO_VM_IDS, type DemoVms, demoVms, startDemoVms, writeDemoFiles } from "./demo_vms.ts";
import { endProcess, markedProcesses } from "./marked_processes.ts";

const TIMEOUT_MS = 55_000;
const STOP_TIMEOUT_MS = 5_000;
/** For the reader's eye. */
const PAUSE_MS = 2_000;
/** The path of a socket has 107 bytes at most; the demonstration's own part of it is well below this rest. */
const DIRECTORY_LENGTH_MAX = 60;

process.exitCode = await main();

async function main(): Promise<number> {
  const end = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => end.abort(new Error(`interrupted by ${name}`)));
  }
  if (!build()) return 1;
  const timer = setTimeout(() => end.abort(new Error(`not done after ${TIMEOUT_MS / 1_000} s`)), TIMEOUT_MS);
  const directory = mkdtempSync(join(tmpdir().length > DIRECTORY_LENGTH_MAX ? "/tmp" : tmpdir(), "metald-demo-"));
  let agent: Agent | undefined;
  try {
    const vms = demoVms(directory);
    const configPath = writeDemoFiles(directory, vms);
    say(`${vms.description} run; everything is in ${directory}`);
    await startDemoVms(directory, vms, end.signal);
    agent = new Agent(join(ROOT, "dist/metald"), configPath, (line) => console.log(line));
    await showRecovery(agent, vms, end.signal);
    await agent.stop(STOP_TIMEOUT_MS);
    agent = undefined;
    const running = markedProcesses(DEMO_VARIABLE, directory).length;
    say(`the agent has ended, ${running} of ${DEMO_VM_IDS.length} VMs run on without it`);
    return 0;
  } catch (error) {
    // What was awaited fails in its own words when it is aborted.
    const cause: unknown = end.signal.aborted ? end.signal.reason : error;
    say(`failed: ${cause instanceof Error ? cause.message : String(cause)}`);
    return 1;
  } finally {
    clearTimeout(timer);
    await agent?.stop(STOP_TIMEOUT_MS);
    await endMarked(directory);
    rmSync(directory, { recursive: true, force: true });
    say("ended the VMs and removed the directory");
  }
}

function build(): boolean {
  const { status } = spawnSync(tool("bun"), [join(ROOT, "test/tool/build.ts")], { stdio: "inherit" });
  return status === 0;
}

/** @throws {Error} when the agent ends or the signal is aborted before the VM is back */
async function showRecovery(agent: Agent, vms: DemoVms, signal: AbortSignal): Promise<void> {
  const adopted = await Promise.all(DEMO_VM_IDS.map((id) => agent.line("vm adopted", id, signal)));
  const victimId = DEMO_VM_IDS[1];
  const processId = adopted[1]?.fields.get("process_id") ?? "";
  const [pid, startTicks] = processId.split("-").slice(-2).map(Number);
  if (pid === undefined || startTicks === undefined) throw new Error(`no process in process_id=${processId}`);

  say(`the agent has adopted them; in ${PAUSE_MS / 1_000} s one is killed`);
  await sleep(PAUSE_MS, undefined, { signal });
  say(`kill -9 ${pid}, the process of ${victimId}`);
  const killedAtMs = performance.now();
  endProcess({ pid, startTicks });
  const detected = await agent.line("orphaned vm detected", victimId, signal);
  const recovered = await agent.line("vm recovery successful", victimId, signal);
  say(`${vms.description}: ${victimId} was killed,`);
  say(`  detected after ${(detected.seenAtMs - killedAtMs).toFixed(1)} ms,`);
  say(`  seen healthy again after ${(recovered.seenAtMs - killedAtMs).toFixed(0)} ms`);
}

/** The agent is gone by now, so whatever it was about to start shows up within moments: two looks must find nothing. */
async function endMarked(directory: string): Promise<void> {
  for (let emptyLooks = 0; emptyLooks < 2; await sleep(50)) {
    const marked = markedProcesses(DEMO_VARIABLE, directory);
    emptyLooks = marked.length === 0 ? emptyLooks + 1 : 0;
    marked.forEach(endProcess);
  }
}

function say(text: string): void {
  console.log(`demo: ${text}`);
}
