/** Real QEMU guests under the real agent: how they end, and how they only seem to. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { it } from "node:test";
import { type Agent, writtenAfter } from "./agent.ts";
import { isAlive } from "./processes.ts";
import { type Console, connectOnceServed, openConsole, type QemuGuest, qemuGuest } from "./qemu_guest.ts";
import { describeWhere, GCC, QEMU } from "./requires.ts";
import { type TestHost, withHost } from "./test_host.ts";
import { waitFor } from "./wait.ts";

const LONG = { timeout: 180_000 };

interface GuestVm {
  readonly guest: QemuGuest;
  readonly id: string;
  readonly pid: number;
}

async function addGuest(
  host: TestHost,
  extra: readonly string[] = [],
  record: Readonly<Record<string, unknown>> = {},
): Promise<QemuGuest> {
  const guest = await qemuGuest(host.directory, host.newId("qemu"), { extra });
  host.writeRecord(guest.id, { vmm: "qemu", socket: guest.socketPath, launch: { argv: guest.argv }, ...record });
  return guest;
}

async function started(host: TestHost, agent: Agent, guest: QemuGuest): Promise<GuestVm> {
  await agent.waitForLine({ msg: "vm started", vm_id: guest.id });
  return { guest, id: guest.id, pid: await host.onlyProcess(guest.id) };
}

async function withGuest(
  body: (host: TestHost, agent: Agent, vm: GuestVm) => Promise<void>,
  extra: readonly string[] = [],
  record: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await withHost(async (host) => {
    const guest = await addGuest(host, extra, record);
    const agent = host.startAgent();
    await body(host, agent, await started(host, agent, guest));
  });
}

async function withConsole(guest: QemuGuest, body: (guestConsole: Console) => Promise<void>): Promise<void> {
  const guestConsole = await openConsole(guest);
  try {
    await body(guestConsole);
  } finally {
    guestConsole.close();
  }
}

/** The VM was found lost for `reason`, came back once, and its new guest beats. */
async function expectRecovery(host: TestHost, agent: Agent, vm: GuestVm, reason: string): Promise<void> {
  await agent.waitForLine({ msg: "orphaned vm detected", vm_id: vm.id, reason });
  const recovered = await agent.waitForLine({ msg: "vm recovery successful", vm_id: vm.id });
  const next = await host.nextProcess(vm.id, vm.pid);
  assert.match(recovered["new_process_id"] ?? "", new RegExp(`^qemu-${next}-\\d+$`));
  await withConsole(vm.guest, async () => undefined);
}

/** The VM is called lost for `reason`, and nothing is done to it. */
async function expectBlocked(host: TestHost, agent: Agent, vm: GuestVm, reason: string): Promise<void> {
  await agent.waitForLine({ msg: "vm marked as unhealthy", vm_id: vm.id });
  await agent.waitForLine({ msg: "orphaned vm detected", vm_id: vm.id, reason });
  await agent.waitForLine({ msg: "vm recovery blocked", vm_id: vm.id, reason: "data_loss_not_allowed" });
  assert.equal(await host.onlyProcess(vm.id), vm.pid);
}

async function expectRestored(host: TestHost, agent: Agent, vm: GuestVm): Promise<void> {
  await agent.waitForLine({ msg: "vm health restored", vm_id: vm.id });
  assert.equal(await host.onlyProcess(vm.id), vm.pid);
  assert.deepEqual(agent.linesWith({ msg: "starting vm recovery", vm_id: vm.id }), []);
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

describeWhere([QEMU, GCC], "the agent with real QEMU guests", () => {
  it("recovers a killed guest", LONG, async () => {
    await withGuest(async (host, agent, vm) => {
      const killedAt = Date.now();
      process.kill(vm.pid, "SIGKILL");
      const orphan = await agent.waitForLine({ msg: "orphaned vm detected", vm_id: vm.id });
      const recovered = await agent.waitForLine({ msg: "vm recovery successful", vm_id: vm.id });
      const [detectedMs, healthyMs] = [writtenAfter(orphan, killedAt), writtenAfter(recovered, killedAt)];
      console.log(`qemu vm: detected after ${detectedMs} ms, healthy after ${healthyMs} ms`);
      await expectRecovery(host, agent, vm, "process_dead");
    });
  });

  const ends = [
    ["faults three times over", "t", ["-no-reboot"], "process_dead"],
    ["resets where QEMU may not reboot", "r", ["-no-reboot"], "process_dead"],
    ["powers itself off", "o", [], "process_dead"],
    ["panics and stays", "p", ["-action", "panic=pause"], "guest_not_running"],
    ["panics where that ends QEMU", "p", [], "process_dead"],
  ] as const;
  for (const [title, command, extra, reason] of ends) {
    it(`recovers a guest that ${title}`, LONG, async () => {
      await withGuest(async (host, agent, vm) => {
        await withConsole(vm.guest, async (guestConsole) => guestConsole.send(command));
        await expectRecovery(host, agent, vm, reason);
      }, extra);
    });
  }

  it("does nothing to a guest that reboots itself", LONG, async () => {
    await withGuest(async (host, agent, vm) => {
      await withConsole(vm.guest, async (guestConsole) => {
        guestConsole.send("r");
        await guestConsole.hears("READY");
      });
      process.kill(agent.pid, "SIGUSR2");
      await agent.waitForLine({ msg: "vm state", vm_id: vm.id, phase: "healthy" });
      assert.equal(await host.onlyProcess(vm.id), vm.pid);
      assert.deepEqual(agent.linesWith({ msg: "orphaned vm detected" }), []);
    });
  });

  it("does nothing to a QEMU stopped by SIGSTOP but say so, and takes it back", LONG, async () => {
    await withGuest(async (host, agent, vm) => {
      process.kill(vm.pid, "SIGSTOP");
      await expectBlocked(host, agent, vm, "socket_unreachable");
      assert.match(readFileSync(`/proc/${vm.pid}/stat`, "latin1"), /\) T /);
      process.kill(vm.pid, "SIGCONT");
      await expectRestored(host, agent, vm);
    });
  });

  it("does not kill a spinning guest whose tcp probe fails, and takes it back when that succeeds", LONG, async () => {
    // The guest has no network: a listener of the test stands for its service.
    const service = createServer((socket) => socket.destroy());
    const port = await listen(service, 0);
    try {
      await withGuest(
        async (host, agent, vm) => {
          await withConsole(vm.guest, async (guestConsole) => {
            guestConsole.send("s");
            await guestConsole.hears("SPIN");
          });
          service.close();
          await once(service, "close");
          await expectBlocked(host, agent, vm, "health_check_failed");
          await agent.waitForLine({ msg: "vm health check failed", vm_id: vm.id, layer: "guest" });
          await listen(service, port);
          await expectRestored(host, agent, vm);
        },
        [],
        { health_check: { guest: { tcp: `127.0.0.1:${port}` } } },
      );
    } finally {
      service.close();
    }
  });

  it("does not kill a guest whose monitor's socket was removed", LONG, async () => {
    await withGuest(async (host, agent, vm) => {
      rmSync(vm.guest.socketPath);
      await expectBlocked(host, agent, vm, "socket_unreachable");
      await withConsole(vm.guest, async () => undefined);
    });
  });

  it("says that another client may hold the monitor, and takes the guest back when that one goes", LONG, async () => {
    await withGuest(async (host, agent, vm) => {
      const other = await connectOnceServed(vm.guest.socketPath);
      try {
        // A look of the agent's may have come first; then this one is served after it.
        await expectBlocked(host, agent, vm, "socket_unreachable");
        const failed = await agent.waitForLine({ msg: "vm health check failed", vm_id: vm.id });
        assert.match(failed["error"] ?? "", /held by another client/);
      } finally {
        other.destroy();
      }
      await expectRestored(host, agent, vm);
    });
  });

  it("shuts a guest down by its power button when its record says stopped", LONG, async () => {
    await withGuest(async (host, agent, vm) => {
      // A guest that has not come up does not see its button.
      await withConsole(vm.guest, async () => undefined);
      host.writeRecord(vm.id, {
        vmm: "qemu",
        socket: vm.guest.socketPath,
        launch: { argv: vm.guest.argv },
        state: "stopped",
      });
      await agent.waitForLine({ msg: "vm stopped", vm_id: vm.id });
      assert.equal(isAlive(vm.pid), false);
    });
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`adopts running guests after its own end by ${signal}`, LONG, async () => {
      await withGuest(async (host, agent, vm) => {
        await agent.end(signal);
        await withConsole(vm.guest, async () => undefined);
        const successor = host.startAgent();
        await successor.waitForLine({ msg: "vm adopted", vm_id: vm.id });
        assert.equal(await host.onlyProcess(vm.id), vm.pid);
        process.kill(vm.pid, "SIGKILL");
        await expectRecovery(host, successor, vm, "process_dead");
      });
    });
  }

  it("recovers 8 of 20 guests that die together, and touches no other", LONG, async () => {
    await withHost(async (host) => {
      const guests: QemuGuest[] = [];
      for (let n = 0; n < 20; n++) guests.push(await addGuest(host));
      const agent = host.startAgent();
      const vms: GuestVm[] = [];
      for (const guest of guests) vms.push(await started(host, agent, guest));
      const dying = vms.filter((_, n) => n % 5 < 2);
      const killedAt = Date.now();
      for (const { pid } of dying) process.kill(pid, "SIGKILL");
      const lastOf = async (msg: string): Promise<number> => {
        const written: number[] = [];
        for (const { id } of dying) written.push(writtenAfter(await agent.waitForLine({ msg, vm_id: id }), killedAt));
        return Math.max(...written);
      };
      const detectedMs = await lastOf("orphaned vm detected");
      const healthyMs = await lastOf("vm recovery successful");
      console.log(`8 of 20 qemu vms: all detected after ${detectedMs} ms, healthy after ${healthyMs} ms`);
      for (const { id, pid } of dying) await host.nextProcess(id, pid);
      for (const { id, pid } of vms.filter((vm) => !dying.includes(vm))) {
        assert.equal(await host.onlyProcess(id), pid);
        assert.deepEqual(agent.linesWith({ msg: "orphaned vm detected", vm_id: id }), []);
      }
      await waitFor("all 8 are recovered once", () => agent.linesWith({ msg: "vm recovery successful" }).length === 8);
    });
  });
});
