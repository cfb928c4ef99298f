/**
 * Collectors that misbehave, while VMs die: the agent must not notice them but for one line.
 *
 * Each has an agent of its own, all at the same time. `METALD_FAULT_SECONDS` makes it longer.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { type Agent, writtenAfter } from "../host/agent.ts";
import { isAlive, residentBytes } from "../host/processes.ts";
import { type TestHost, withHost } from "../host/test_host.ts";
import { waitFor } from "../host/wait.ts";
import { ACCEPTS, type Behaviour, type Collector, withCollector } from "./collector.ts";
import { FAULTS } from "./faults.ts";
import { freePort } from "./free_port.ts";

const SECONDS = Number(process.env["METALD_FAULT_SECONDS"] ?? "8");
const LONG = { timeout: (SECONDS + 120) * 1_000 };
/** An agent that read an endless answer to its end would gain this within two seconds. */
const GROWTH_BYTES_MAX = 64 * 1024 * 1024;
const EXPORTERS = ["otlp_metrics", "otlp_traces"];

interface Outcome {
  readonly name: string;
  readonly deaths: number;
  readonly detectedMs: readonly number[];
  readonly growthBytes: number;
}

describe("a collector that misbehaves while VMs die", () => {
  it("costs one line for each kind of export, and no VM, no memory, no time", LONG, async () => {
    const outcomes = await Promise.all(FAULTS.map(({ name, behaviour }) => suffer(name, behaviour)));
    for (const { name, deaths, detectedMs, growthBytes } of outcomes) {
      const worst = Math.max(...detectedMs);
      console.log(
        `collector ${name}: ${deaths} deaths, found after ${worst} ms at most, ${growthBytes / 1024} KiB gained`,
      );
    }
  });
});

async function suffer(name: string, behaviour: Behaviour | "down"): Promise<Outcome> {
  let outcome: Outcome | undefined;
  await withCollector(async (collector) => {
    if (behaviour !== "down") collector.behave(behaviour);
    const endpoint = behaviour === "down" ? `http://127.0.0.1:${await freePort()}` : collector.url;
    const otlp = { endpoint, interval: "300ms", timeout: "1s", health_check_spans: "all" };
    await withHost(
      async (host) => {
        const agent = host.startAgent();
        outcome = await killAndWatch(host, agent, name);
        if (behaviour !== "down") await mend(agent, collector);
      },
      { telemetry: { otlp } },
    );
  });
  assert.ok(outcome !== undefined);
  return outcome;
}

async function killAndWatch(host: TestHost, agent: Agent, name: string): Promise<Outcome> {
  const id = host.newId("dies");
  const recovery = { stable_after: "0s" };
  host.writeRecord(id, { vmm: "process", launch: { argv: ["/bin/sleep", "1000000"] }, recovery });
  await agent.waitForLine({ msg: "vm started", vm_id: id });
  for (const exporter of EXPORTERS) await agent.waitForLine({ msg: "telemetry export failed", exporter });
  const before = residentBytes(agent.pid);
  const endAt = performance.now() + SECONDS * 1_000;
  const detectedMs: number[] = [];
  let pid = await host.onlyProcess(id);
  let deaths = 0;
  while (performance.now() < endAt) {
    const killedAt = Date.now();
    process.kill(pid, "SIGKILL");
    deaths += 1;
    const line = await nth(agent, { msg: "orphaned vm detected", vm_id: id }, deaths);
    detectedMs.push(writtenAfter(line, killedAt));
    await nth(agent, { msg: "vm recovery successful", vm_id: id }, deaths);
    pid = await host.nextProcess(id, pid);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok(isAlive(agent.pid));
  const growthBytes = residentBytes(agent.pid) - before;
  assert.ok(growthBytes < GROWTH_BYTES_MAX, `${name}: ${growthBytes} bytes gained`);
  for (const exporter of EXPORTERS) {
    assert.equal(agent.linesWith({ msg: "telemetry export failed", exporter }).length, 1, `${name}: ${agent.text()}`);
  }
  return { name, deaths, detectedMs, growthBytes };
}

async function mend(agent: Agent, collector: Collector): Promise<void> {
  collector.behave(ACCEPTS);
  for (const exporter of EXPORTERS) await agent.waitForLine({ msg: "telemetry export restored", exporter });
  assert.equal(await agent.end("SIGTERM"), 0);
}

function nth(agent: Agent, fields: Readonly<Record<string, string>>, count: number) {
  return waitFor(
    `the agent says ${JSON.stringify(fields)} ${count} times`,
    () => agent.linesWith(fields)[count - 1],
    () => agent.text().slice(-8_000),
  );
}
