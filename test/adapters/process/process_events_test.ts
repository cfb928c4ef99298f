/**
 * Exit events on this host: their contract by either way, and a thousand at once.
 * @module
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { createExitPoll } from "../../../src/adapters/process/exit_poll.ts";
import { loadPidfds } from "../../../src/adapters/process/pidfd.ts";
import { createProcFileReader } from "../../../src/adapters/process/proc_file.ts";
import { createProcessEvents } from "../../../src/adapters/process/process_events.ts";
import type { ProcessIdentity } from "../../../src/domain/process.ts";
import type { ProcessEvents } from "../../../src/ports/process_events.ts";
import { processEventsContract } from "../../contract/process_events_contract.ts";
import { createHostProcesses, eventually, identityOf } from "./host_processes.ts";
import { compileOddProcess, withoutCompiler } from "./odd_process.ts";

const pidfds = await loadPidfds();
const byPidfd = await createProcessEvents({ pidfds });
const byPoll: ProcessEvents = { watch: createExitPoll(createProcFileReader()) };

for (const [name, events] of [
  ["process events by pidfd", byPidfd],
  ["process events by poll", byPoll],
] as const) {
  processEventsContract(name, async () => {
    const processes = createHostProcesses();
    return {
      events,
      start: () => processes.start(["/bin/sleep", "600"]),
      end: processes.end,
      eventually,
      dispose: processes.dispose,
    };
  });
}

test("createProcessEvents uses pidfds where the runtime has them, and polls where it has none", async () => {
  assert.equal(byPidfd.way, pidfds === undefined ? "poll" : "pidfd");
  assert.equal((await createProcessEvents({ pidfds: undefined })).way, "poll");
});

test("createProcessEvents polls when the runtime's events do not come, or come too early", async () => {
  assert.ok(pidfds !== undefined);
  const { open, signal, close } = pidfds;
  const late = { open, signal, close, watch: (pidfd: number) => () => close(pidfd) };
  assert.equal((await createProcessEvents({ pidfds: late })).way, "poll");
  const early = {
    open,
    signal,
    close,
    watch(pidfd: number, onExit: () => void) {
      close(pidfd);
      queueMicrotask(onExit);
      return () => {};
    },
  };
  assert.equal((await createProcessEvents({ pidfds: early })).way, "poll");
});

test("watch by pidfd waits for the last task of a zombie leader", { skip: withoutCompiler }, async () => {
  const odd = compileOddProcess();
  const processes = createHostProcesses();
  try {
    const identity = await processes.startReady([odd.path, "zombie-leader"]);
    let calls = 0;
    byPidfd.watch(identity, () => {
      calls += 1;
    });
    const other = await processes.start(["/bin/sleep", "600"]);
    let otherCalls = 0;
    byPidfd.watch(other, () => {
      otherCalls += 1;
    });
    await processes.end(other);
    await eventually(() => otherCalls === 1);
    assert.equal(calls, 0);
    await processes.end(identity);
    await eventually(() => calls === 1);
  } finally {
    await processes.dispose();
    odd.dispose();
  }
});

test("1,000 watches cost a file descriptor each, miss none of a burst of deaths, and give all back", async () => {
  const count = 1000;
  const before = openPidfds();
  // One shell starts them all, as a thousand pipes to this process would hide what the watches cost.
  const script = `i=0; while [ $i -lt ${count} ]; do sleep 600 & echo $!; i=$((i+1)); done; wait`;
  const shell = spawn("/bin/sh", ["-c", script], { detached: true, stdio: ["ignore", "pipe", "ignore"] });
  assert.ok(shell.pid !== undefined);
  try {
    const identities = await readIdentities(shell.stdout, count);
    const exited = new Map<number, number>();
    const unwatch = identities.map((identity) =>
      byPidfd.watch(identity, () => void exited.set(identity.pid, (exited.get(identity.pid) ?? 0) + 1)),
    );
    if (byPidfd.way === "pidfd") assert.ok(openPidfds() - before <= count + 1);
    const [spared = [], killed = []] = [identities.slice(0, 100), identities.slice(100)];
    for (const { pid } of killed) process.kill(pid, "SIGKILL");
    await eventually(() => exited.size >= killed.length);
    assert.deepEqual(new Set(exited.keys()), new Set(killed.map(({ pid }) => pid)));
    assert.ok([...exited.values()].every((calls) => calls === 1));
    for (const each of unwatch) each();
    await eventually(() => openPidfds() <= before + 1);
    assert.ok(spared.every(({ pid }) => identityOf(pid) !== undefined));
  } finally {
    process.kill(-shell.pid, "SIGKILL");
  }
});

async function readIdentities(output: NodeJS.ReadableStream, count: number): Promise<readonly ProcessIdentity[]> {
  let text = "";
  output.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await eventually(() => text.split("\n").length > count);
  return text
    .trim()
    .split("\n")
    .map((line) => identityOf(Number(line)))
    .filter((identity) => identity !== undefined);
}

function openPidfds(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === "anon_inode:[pidfd]";
    } catch {
      return false;
    }
  }).length;
}
