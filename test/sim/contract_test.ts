/**
 * The contracts of the ports, kept by the simulated host: a simulator is only as honest as that.
 *
 * Not here: hooks, whose programs the simulated host only counts.
 * @module
 */

import type { ProcessIdentity } from "../../src/domain/process.ts";
import { clockContract } from "../contract/clock_contract.ts";
import { diskHoldersContract } from "../contract/disk_holders_contract.ts";
import { guestProbeContract } from "../contract/guest_probe_contract.ts";
import { instanceLockContract } from "../contract/instance_lock_contract.ts";
import { intentContract } from "../contract/intent_contract.ts";
import { launcherContract } from "../contract/launcher_contract.ts";
import { processEventsContract } from "../contract/process_events_contract.ts";
import { processTableContract } from "../contract/process_table_contract.ts";
import { registryContract } from "../contract/registry_contract.ts";
import { stateStoreContract } from "../contract/state_store_contract.ts";
import { type VmmConduct, vmmContract } from "../contract/vmm_contract.ts";
import { type ContractHost, contractHost } from "./contract_fixture.ts";
import { recordOf } from "./sim_record.ts";

const NAME = "simulated host";

clockContract(NAME, async () => {
  const { agent, eventually } = await contractHost();
  return { clock: agent().clock, eventually };
});

registryContract(NAME, async () => {
  const { world, agent, addVm, spec, eventually, dispose } = await contractHost();
  const { registry } = world.host;
  return {
    registry: agent().registry,
    write: async (id, desired) => registry.write(spec(addVm("process", id), desired), world.clock.now),
    writeHalf: async (id) => registry.breakRecord(id, world.clock.now),
    remove: async (id) => registry.remove(id, world.clock.now),
    makeUnreadable: async () => registry.setMode("unreadable", world.clock.now),
    makeReadable: async () => registry.setMode("ok", world.clock.now),
    eventually: async (_what, isTrue) => await eventually(isTrue),
    dispose,
  };
});

intentContract(NAME, async () => {
  const { world, agent, eventually, dispose } = await contractHost();
  const { host } = world;
  const { intent } = host;
  return {
    intent: agent().intent,
    hold: async (id, expiresAt) => {
      intent.hold(id, expiresAt === undefined ? undefined : expiresAt - host.wallNow, host.now, host.wallNow);
    },
    lease: async (id, expiresAt, holder) => {
      intent.lease(id, expiresAt - host.wallNow, holder, host.now, host.wallNow);
    },
    writeHalf: async (kind, id) => {
      intent.malformed(id, host.now, kind);
    },
    release: async (kind, id) => intent.remove(`${kind}s/${id ?? "_all"}`, host.now),
    makeUnreadable: async () => intent.setUnreadable(true, host.now),
    eventually: async (_what, isTrue) => await eventually(isTrue),
    dispose,
  };
});

stateStoreContract(NAME, async () => {
  const { world, agent, addVm, spec, dispose } = await contractHost();
  const { host } = world;
  return {
    bootId: host.processes.bootId,
    open: () => agent().stateStore,
    openAfterReboot: () => {
      host.reboot();
      return agent().stateStore;
    },
    recordSource: (id) => {
      host.registry.write(spec(addVm("process", id)), host.now);
      const entry = host.registry.read(id);
      return entry.kind === "record" ? entry.source : "";
    },
    wipe: async () => {
      host.store.wipeRuntime(host.now);
      host.store.wipeDurable();
    },
    makeUnwritable: async () => {
      host.store.setRuntimeWritable(false, host.now);
      host.store.isDurableWritable = false;
    },
    dispose,
  };
});

instanceLockContract(NAME, async () => {
  const [here, there] = [await contractHost(), await contractHost()];
  return {
    another: () => here.agent().instanceLock,
    elsewhere: () => there.agent().instanceLock,
    dispose: here.dispose,
  };
});

processTableContract(NAME, async () => {
  const fixture = await contractHost();
  const { agent, spawn, eventually, dispose } = fixture;
  return {
    table: agent().processTable,
    start: async (marks) => spawn(marks).identity,
    end: async (identity) => end(fixture, identity),
    startZombieLeader: async (marks) => {
      const process = spawn(marks);
      process.state = "Z";
      process.liveTasks = 2;
      return process.identity;
    },
    eventually,
    dispose,
  };
});

processEventsContract(NAME, async () => {
  const fixture = await contractHost();
  const { agent, spawn, eventually, dispose } = fixture;
  return {
    events: agent().processEvents,
    start: async () => spawn().identity,
    end: async (identity) => end(fixture, identity),
    eventually,
    dispose,
  };
});

diskHoldersContract(NAME, async () => {
  const fixture = await contractHost();
  const { world, agent, spawn, addVm, start, dispose } = fixture;
  start();
  let disks = 0;
  return {
    diskHolders: agent().diskHolders,
    makeDisk: async () => {
      disks++;
      return `/srv/vms/disk-${disks}.img`;
    },
    missingPath: () => {
      const vm = addVm("process");
      vm.isDiskUnavailable = true;
      return vm.diskPath;
    },
    hold: async (path, access) => {
      const process = spawn();
      if (access === "write") process.openDisks.set(path, world.clock.now);
      return { pid: process.identity.pid, close: async () => end(fixture, process.identity) };
    },
    dispose,
  };
});

launcherContract(NAME, async () => {
  const { world, agent, addVm, spec, eventually, start, dispose } = await contractHost();
  start();
  const ports = agent();
  return {
    launcher: ports.launcher,
    table: ports.processTable,
    recordOf: (behaviour) => {
      const vm = addVm("process");
      if (behaviour.kind === "missing") vm.launchesToRefuse = 1;
      if (behaviour.kind === "exits") {
        world.host.onSpawn = (process) => {
          const status = { code: behaviour.code, signal: undefined };
          if (process.vm === vm.id) world.clock.after(5, () => world.host.die(process, status));
        };
      }
      return recordOf(spec(vm));
    },
    eventually,
    dispose,
  };
});

vmmContract({
  name: NAME,
  open: async () => {
    const fixture = await contractHost();
    const { world, agent, addVm, spec, eventually, settle, dispose } = fixture;
    const { host } = world;
    const vm = addVm("qemu");
    const socket = vm.socket ?? "";
    const options = { startedBy: "foreign", incarnation: undefined } as const;
    const process = host.startVm(vm, recordOf(spec(vm)), options);
    await eventually(() => host.serverOf(socket) === process && host.isGuestUp(process));
    return {
      vmm: agent().vmm,
      target: { id: vm.id, vmm: "qemu", socket },
      behave: async (conduct) => behave(fixture, process.identity, socket, conduct),
      settle,
      wasAskedToShutDown: async () => process.askedAt !== undefined,
      end: dispose,
    };
  },
});

guestProbeContract({
  name: NAME,
  open: async () => {
    const { world, agent, addVm, spec, eventually, settle, dispose } = await contractHost();
    const vm = addVm("process");
    const process = world.host.startVm(vm, recordOf(spec(vm)), { startedBy: "foreign", incarnation: undefined });
    await eventually(() => world.host.isGuestUp(process));
    return {
      probe: agent().guestProbe,
      target: { host: vm.tcpHost, port: 22 },
      behave: async (conduct) => {
        vm.isTcpDown = conduct !== "accepts";
      },
      settle,
      end: dispose,
    };
  },
});

function end({ world }: ContractHost, identity: ProcessIdentity): void {
  const process = world.host.processes.get(identity);
  if (process !== undefined) world.host.die(process, { code: 0, signal: undefined });
}

/** Every way of answering wrongly is one here. */
function behave(fixture: ContractHost, identity: ProcessIdentity, socket: string, conduct: VmmConduct): void {
  const { host } = fixture.world;
  const instance = host.processes.get(identity)?.instance;
  if (instance === undefined) return;
  switch (conduct.kind) {
    case "says":
      instance.apiMode = "ok";
      instance.guest = conduct.guest;
      return;
    case "hangs":
      instance.apiMode = "hung";
      return;
    case "killed":
      end(fixture, identity);
      return;
    case "removed":
      end(fixture, identity);
      host.sockets.delete(socket);
      return;
    default:
      instance.apiMode = "wrong";
  }
}
