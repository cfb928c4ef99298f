/** `process` VMs under the real agent: a death, the agent's own deaths, what it opens, what it refuses to read. */

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Agent, writtenAfter } from "./agent.ts";
import { isAlive, kill, processesOf } from "./processes.ts";
import { type TestHost, withHost } from "./test_host.ts";
import { waitFor } from "./wait.ts";

const PROGRAM = { vmm: "process", launch: { argv: ["/bin/sleep", "1000000"] } };
const LONG = { timeout: 120_000 };

/** Starts an agent over `count` VMs and waits until all of them run. */
async function startWithVms(host: TestHost, count: number): Promise<{ agent: Agent; vms: Map<string, number> }> {
  const ids = Array.from({ length: count }, () => host.newId("process"));
  for (const id of ids) host.writeRecord(id, PROGRAM);
  const agent = host.startAgent();
  const vms = new Map<string, number>();
  for (const id of ids) {
    await agent.waitForLine({ msg: "vm started", vm_id: id });
    vms.set(id, await host.onlyProcess(id));
  }
  return { agent, vms };
}

describe("the agent with process VMs", () => {
  it("brings a VM back that was killed, once, and says what it saw", LONG, async () => {
    await withHost(async (host) => {
      const { agent, vms } = await startWithVms(host, 1);
      for (const [id, pid] of vms) {
        const killedAt = Date.now();
        process.kill(pid, "SIGKILL");
        const orphan = await agent.waitForLine({ msg: "orphaned vm detected", vm_id: id });
        assert.equal(orphan["reason"], "process_dead");
        assert.match(orphan["process_id"] ?? "", new RegExp(`^process-${pid}-\\d+$`));
        const recovered = await agent.waitForLine({ msg: "vm recovery successful", vm_id: id });
        const next = await host.nextProcess(id, pid);
        assert.match(recovered["new_process_id"] ?? "", new RegExp(`^process-${next}-\\d+$`));
        console.log(
          `process vm: detected after ${writtenAfter(orphan, killedAt)} ms, recovered after ${writtenAfter(recovered, killedAt)} ms`,
        );
        assert.equal(agent.linesWith({ msg: "vm recovery successful" }).length, 1);
      }
    });
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`adopts what lives and recovers what died while it was ended by ${signal}`, LONG, async () => {
      await withHost(async (host) => {
        const { agent, vms } = await startWithVms(host, 3);
        const ended = await agent.end(signal);
        assert.equal(ended, signal === "SIGTERM" ? 0 : "SIGKILL");
        for (const pid of vms.values()) assert.ok(isAlive(pid));
        const [lost, ...living] = [...vms];
        assert.ok(lost !== undefined);
        await kill(lost[1]);

        const successor = host.startAgent();
        await successor.waitForLine({ msg: "vm recovery successful", vm_id: lost[0] });
        await host.nextProcess(...lost);
        for (const [id, pid] of living) {
          await successor.waitForLine({ msg: "vm adopted", vm_id: id });
          assert.equal(await host.onlyProcess(id), pid);
          assert.deepEqual(successor.linesWith({ msg: "starting vm", vm_id: id }), []);
        }
      });
    });
  }

  for (const msg of ["orphaned vm detected", "starting vm recovery", "vm fenced", "attempting vm recovery"]) {
    it(`starts nothing twice when killed right after "${msg}"`, LONG, async () => {
      await withHost(async (host) => {
        const { agent, vms } = await startWithVms(host, 1);
        for (const [id, pid] of vms) {
          process.kill(pid, "SIGKILL");
          await agent.waitForLine({ msg, vm_id: id });
          await agent.end("SIGKILL");
          const successor = host.startAgent();
          await waitFor(
            "the successor has the VM",
            () => successor.lines().some((line) => line["vm_id"] === id && HAS_IT.has(line["msg"] ?? "")),
            successor.text,
          );
          await host.nextProcess(id, pid);
          await waitFor(
            "the successor calls it healthy",
            () => {
              process.kill(successor.pid, "SIGUSR2");
              return successor.linesWith({ msg: "vm state", vm_id: id, phase: "healthy" }).length > 0;
            },
            successor.text,
          );
          assert.equal(processesOf(id).length, 1);
        }
      });
    });
  }

  it("lets a second agent on the same registry go with 75, and works on", LONG, async () => {
    await withHost(async (host) => {
      const { agent, vms } = await startWithVms(host, 1);
      assert.equal(await host.startAgent().exited, 75);
      for (const [id, pid] of vms) {
        process.kill(pid, "SIGKILL");
        await agent.waitForLine({ msg: "vm recovery successful", vm_id: id });
      }
    });
  });

  it("listens nowhere", LONG, async () => {
    await withHost(async (host) => {
      const { agent } = await startWithVms(host, 1);
      const inodes = socketInodes(agent.pid);
      assert.deepEqual(
        listeningSockets().filter(({ inode }) => inodes.has(inode)),
        [],
      );
    });
  });

  it("reports each absurd record once and hurts no other VM by it", LONG, async () => {
    await withHost(async (host) => {
      const valid = JSON.stringify({ state: "running", ...PROGRAM });
      const at = (name: string): string => join(host.registry, name);
      writeFileSync(at("huge.json"), `{"id":"huge",${" ".repeat(5 * 1024 * 1024)}"state":"running"}`, { mode: 0o600 });
      writeFileSync(at("elsewhere.json"), valid.replace("{", '{"id":"../../etc/passwd",'), { mode: 0o600 });
      mkdirSync(at("directory.json"), { mode: 0o700 });
      symlinkSync("/nonexistent", at("dangling.json"));
      writeFileSync(at("half.json"), '{"id":"half","state":"runn', { mode: 0o600 });
      writeFileSync(at("writable.json"), valid.replace("{", '{"id":"writable",'), { mode: 0o600 });
      chmodSync(at("writable.json"), 0o666);
      const absurd = ["huge", "elsewhere", "directory", "dangling", "half", "writable"];

      const { agent, vms } = await startWithVms(host, 1);
      const reports = (name: string): readonly unknown[] =>
        agent.linesWith({ msg: "vm record invalid" }).filter((line) => line["path"]?.includes(`${name}.json`));
      for (const name of absurd) await waitFor(`${name} is reported`, () => reports(name).length > 0, agent.text);
      for (const [id, pid] of vms) {
        process.kill(pid, "SIGKILL");
        await agent.waitForLine({ msg: "vm recovery successful", vm_id: id });
        // Two more looks at the whole registry.
        for (const _ of [1, 2]) {
          const seen = agent.linesWith({ msg: "vm state", vm_id: id }).length;
          process.kill(agent.pid, "SIGUSR2");
          await waitFor(
            "another look",
            () => agent.linesWith({ msg: "vm state", vm_id: id }).length > seen,
            agent.text,
          );
        }
      }
      for (const name of absurd) assert.equal(reports(name).length, 1, name);
    });
  });

  it("stops a VM whose record says so, and starts it again when it says that", LONG, async () => {
    await withHost(async (host) => {
      const { agent, vms } = await startWithVms(host, 1);
      for (const [id, pid] of vms) {
        host.writeRecord(id, { ...PROGRAM, state: "stopped" });
        await agent.waitForLine({ msg: "vm stopped", vm_id: id });
        assert.equal(isAlive(pid), false);
        assert.deepEqual(processesOf(id), []);
        host.writeRecord(id, PROGRAM);
        await host.nextProcess(id, pid);
        assert.deepEqual(agent.linesWith({ msg: "orphaned vm detected" }), []);
      }
    });
  });
});

/** By which a new agent says that it has a VM that its predecessor was about to start. */
const HAS_IT: ReadonlySet<string> = new Set(["vm adopted", "vm recovery successful"]);

interface ListeningSocket {
  readonly inode: string;
  readonly line: string;
}

function socketInodes(pid: number): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

/** TCP in state 0A, UDP and raw sockets, which need no listening, and unix sockets with the flag that `listen` sets. */
function listeningSockets(): readonly ListeningSocket[] {
  const sockets: ListeningSocket[] = [];
  for (const table of ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"]) {
    for (const line of tableLines(table)) {
      const columns = line.trim().split(/\s+/);
      if (!table.startsWith("tcp") || columns[3] === "0A") sockets.push({ inode: columns[9] ?? "", line });
    }
  }
  for (const line of tableLines("unix")) {
    const columns = line.trim().split(/\s+/);
    if (Number.parseInt(columns[3] ?? "", 16) & 0x10000) sockets.push({ inode: columns[6] ?? "", line });
  }
  return sockets;
}

function tableLines(table: string): readonly string[] {
  try {
    return readFileSync(`/proc/net/${table}`, "latin1").trimEnd().split("\n").slice(1);
  } catch {
    return [];
  }
}
