/** Firecracker and Cloud Hypervisor VMs under the real agent, played by the fake VMM: what it says and what it does not. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Control, requestCount, tell } from "../fake_vmm/control.ts";
import { type FakeVmmKind, fakeVmmArgv } from "../fake_vmm/executable.ts";
import type { Agent } from "./agent.ts";
import { isAlive, residentBytes } from "./processes.ts";
import { type TestHost, withHost } from "./test_host.ts";
import { waitFor } from "./wait.ts";

const LONG = { timeout: 120_000 };
const KINDS: readonly FakeVmmKind[] = ["firecracker", "cloud-hypervisor"];

interface FakeVm {
  readonly id: string;
  readonly pid: number;
  readonly socketPath: string;
  readonly controlPath: string;
  readonly record: Readonly<Record<string, unknown>>;
}

function addFakeVm(
  host: TestHost,
  kind: FakeVmmKind,
  name: string = kind,
  further: Readonly<Record<string, unknown>> = {},
): Omit<FakeVm, "pid"> {
  const id = host.newId(name);
  const socketPath = join(host.directory, `${id}.sock`);
  const controlPath = join(host.directory, `${id}.control`);
  tell(controlPath, {});
  const argv = fakeVmmArgv({ kind, id, socketPath, controlPath });
  const record = { vmm: kind, socket: socketPath, launch: { argv }, ...further };
  host.writeRecord(id, record);
  return { id, socketPath, controlPath, record };
}

async function started(host: TestHost, agent: Agent, vm: Omit<FakeVm, "pid">): Promise<FakeVm> {
  await agent.waitForLine({ msg: "vm started", vm_id: vm.id });
  return { ...vm, pid: await host.onlyProcess(vm.id) };
}

async function startWithVm(host: TestHost, kind: FakeVmmKind): Promise<{ agent: Agent; vm: FakeVm }> {
  const vm = addFakeVm(host, kind);
  const agent = host.startAgent();
  return { agent, vm: await started(host, agent, vm) };
}

/** What a living VMM may do wrong, and by what name the agent calls that. */
const MISCONDUCT: readonly (readonly [string, Control, string])[] = [
  ["hang", { conduct: "hang" }, "socket_unreachable"],
  ["drip", { conduct: "drip" }, "health_check_failed"],
  ["close", { conduct: "close" }, "health_check_failed"],
  ["garbage", { conduct: "garbage" }, "health_check_failed"],
  ["error", { conduct: "error" }, "health_check_failed"],
  ["flood", { conduct: "flood" }, "health_check_failed"],
  ["stranger", { id: "somebody-else", pid: 1 }, "health_check_failed"],
];

describe("the agent with VMMs that speak an API", () => {
  for (const kind of KINDS) {
    const empty = kind === "firecracker" ? "Not started" : "Created";

    it(`recovers a killed ${kind}, whose socket is in the way of the next`, LONG, async () => {
      await withHost(async (host) => {
        const { agent, vm } = await startWithVm(host, kind);
        process.kill(vm.pid, "SIGKILL");
        await agent.waitForLine({ msg: "orphaned vm detected", vm_id: vm.id, reason: "process_dead" });
        await agent.waitForLine({ msg: "vm recovery successful", vm_id: vm.id });
        await host.nextProcess(vm.id, vm.pid);
        assert.deepEqual(agent.linesWith({ msg: "vm recovery attempt failed", vm_id: vm.id }), []);
      });
    });

    it(`recovers a ${kind} that says ${empty}`, LONG, async () => {
      await withHost(async (host) => {
        const { agent, vm } = await startWithVm(host, kind);
        tell(vm.controlPath, { state: empty });
        await agent.waitForLine({ msg: "orphaned vm detected", vm_id: vm.id, reason: "guest_not_running" });
        await waitFor("the empty VMM is ended", () => !isAlive(vm.pid), agent.text);
        tell(vm.controlPath, {});
        await agent.waitForLine({ msg: "vm recovery successful", vm_id: vm.id });
        await host.nextProcess(vm.id, vm.pid);
      });
    });

    it(`leaves living ${kind}s alone however wrong they answer, says so, and takes them back`, LONG, async () => {
      await withHost(async (host) => {
        const added = MISCONDUCT.map(([name]) => addFakeVm(host, kind, `${kind}-${name}`));
        const agent = host.startAgent();
        const vms: FakeVm[] = [];
        for (const vm of added) vms.push(await started(host, agent, vm));
        for (const [n, [, control]] of MISCONDUCT.entries()) tell(vms[n]?.controlPath ?? "", control);
        for (const [n, [, , reason]] of MISCONDUCT.entries()) {
          const vm_id = vms[n]?.id ?? "";
          await agent.waitForLine({ msg: "vm marked as unhealthy", vm_id });
          await agent.waitForLine({ msg: "orphaned vm detected", vm_id, reason });
          const blocked = await agent.waitForLine({ msg: "vm recovery blocked", vm_id });
          assert.equal(blocked["reason"], "data_loss_not_allowed");
          assert.notEqual(blocked["remedy"] ?? "", "");
        }
        for (const { controlPath } of vms) tell(controlPath, {});
        for (const { id, pid } of vms) {
          await agent.waitForLine({ msg: "vm health restored", vm_id: id });
          assert.equal(await host.onlyProcess(id), pid);
          assert.equal(agent.linesWith({ msg: "vm recovery blocked", vm_id: id }).length, 1);
          assert.deepEqual(agent.linesWith({ msg: "starting vm recovery", vm_id: id }), []);
        }
      });
    });

    it(`does nothing to a ${kind} whose guest somebody paused`, LONG, async () => {
      await withHost(async (host) => {
        const { agent, vm } = await startWithVm(host, kind);
        tell(vm.controlPath, { state: "Paused" });
        await agent.waitForLine({ msg: "vm paused", vm_id: vm.id });
        const asked = requestCount(vm.controlPath);
        await waitFor("it is probed on", () => requestCount(vm.controlPath) >= asked + 6, agent.text);
        assert.equal(await host.onlyProcess(vm.id), vm.pid);
        assert.deepEqual(agent.linesWith({ msg: "orphaned vm detected", vm_id: vm.id }), []);
      });
    });

    it(`recovers a ${kind} that died with a code of its own`, LONG, async () => {
      await withHost(async (host) => {
        const { agent, vm } = await startWithVm(host, kind);
        tell(vm.controlPath, { exitCode: 148 });
        await waitFor("it has exited", () => !isAlive(vm.pid), agent.text);
        tell(vm.controlPath, {});
        await agent.waitForLine({ msg: "orphaned vm detected", vm_id: vm.id, reason: "process_dead" });
        await agent.waitForLine({ msg: "vm recovery successful", vm_id: vm.id });
        await host.nextProcess(vm.id, vm.pid);
      });
    });

    it(`asks the guest of a ${kind} to shut down when its record says stopped`, LONG, async () => {
      await withHost(async (host) => {
        const { agent, vm } = await startWithVm(host, kind);
        host.writeRecord(vm.id, { ...vm.record, state: "stopped" });
        await agent.waitForLine({ msg: "vm stopped", vm_id: vm.id });
        assert.equal(isAlive(vm.pid), false);
        assert.deepEqual(agent.linesWith({ msg: "orphaned vm detected", vm_id: vm.id }), []);
      });
    });

    it(`does not kill a ${kind} whose guest ignores the shutdown that its record wants`, LONG, async () => {
      await withHost(async (host) => {
        const { agent, vm } = await startWithVm(host, kind);
        tell(vm.controlPath, { ignoresShutdown: true });
        host.writeRecord(vm.id, { ...vm.record, state: "stopped" });
        await agent.waitForLine({ msg: "vm recovery blocked", vm_id: vm.id, reason: "ignores_shutdown" });
        assert.ok(isAlive(vm.pid));
        host.writeRecord(vm.id, { ...vm.record, state: "stopped", stop: "force" });
        await waitFor("it is ended by force", () => !isAlive(vm.pid), agent.text);
      });
    });
  }

  it(
    "ends a mute VMM by force where loss is allowed and its guest is mute too, and never on one sign alone",
    LONG,
    async () => {
      const service = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
      await once(service, "listening");
      const { port } = service.address() as AddressInfo;
      try {
        await withHost(
          async (host) => {
            const guest = { tcp: `127.0.0.1:${port}` };
            const watched = addFakeVm(host, "firecracker", "watched", { health_check: { guest } });
            const unwatched = addFakeVm(host, "firecracker", "unwatched");
            const agent = host.startAgent();
            const [first, second] = [await started(host, agent, watched), await started(host, agent, unwatched)];
            for (const { controlPath } of [first, second]) tell(controlPath, { conduct: "hang" });
            const missing = { msg: "vm recovery blocked", reason: "second_signal_missing" };
            for (const { id, pid } of [first, second]) {
              await agent.waitForLine({ ...missing, vm_id: id });
              assert.equal(await host.onlyProcess(id), pid);
            }
            service.close();
            await waitFor("it is ended by force", () => !isAlive(first.pid), agent.text);
            tell(first.controlPath, {});
            service.listen(port, "127.0.0.1");
            await agent.waitForLine({ msg: "vm recovery successful", vm_id: first.id });
            await host.nextProcess(first.id, first.pid);
            assert.equal(await host.onlyProcess(second.id), second.pid);
          },
          { recovery: { allow_data_loss: true, brake: { min_vms: 1000 } } },
        );
      } finally {
        service.close();
      }
    },
  );

  it("does not fence a VMM that starts slowly", LONG, async () => {
    await withHost(
      async (host) => {
        const vm = addFakeVm(host, "firecracker");
        tell(vm.controlPath, { startDelayMs: 4000 });
        const agent = host.startAgent();
        const pid = await host.onlyProcess(vm.id);
        await waitFor("it serves its socket", () => existsSync(vm.socketPath), agent.text);
        await waitFor(
          "the agent sees it healthy",
          () => agent.lines().some((line) => line["vm_id"] === vm.id && SEEN_HEALTHY.has(line["msg"] ?? "")),
          agent.text,
        );
        assert.equal(await host.onlyProcess(vm.id), pid);
      },
      { recovery: { start_timeout: "1s" } },
    );
  });

  it("does not grow with what a VMM pours out", LONG, async () => {
    await withHost(async (host) => {
      const { agent, vm } = await startWithVm(host, "firecracker");
      const flooded = async (times: number): Promise<number> => {
        const asked = requestCount(vm.controlPath);
        await waitFor(`${times} more floods`, () => requestCount(vm.controlPath) >= asked + times, agent.text);
        return residentBytes(agent.pid);
      };
      tell(vm.controlPath, { conduct: "flood" });
      const before = await flooded(5);
      const after = await flooded(20);
      console.log(`agent: ${Math.round(before / 1e6)} MB after 5 floods, ${Math.round(after / 1e6)} MB after 25`);
      // One flood is 200 MB.
      assert.ok(after - before < 64e6, `grew from ${before} to ${after} bytes`);
    });
  });
});

const SEEN_HEALTHY: ReadonlySet<string> = new Set(["vm started", "vm health restored"]);
