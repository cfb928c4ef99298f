/**
 * What goes wrong with the host and with the agent itself.
 * @module
 */

import { drawPolicy } from "../draw_policy.ts";
import type { NoticeMode } from "../sim_host.ts";
import { drawDurationMs, type Fault, forAWhile, vmmOf } from "./fault.ts";

const NOTICE_MODES: readonly NoticeMode[] = ["lost", "late", "doubled"];

const exitNotices: Fault = (world) => {
  world.host.exitNotices = world.random.pick(NOTICE_MODES);
  forAWhile(world, () => {
    world.host.exitNotices = "prompt";
  });
};

const changeNotices: Fault = (world) => {
  world.host.changeNotices = world.random.pick(NOTICE_MODES);
  forAWhile(world, () => {
    world.host.changeNotices = "prompt";
  });
};

const earlyNotice: Fault = (world, vm) => {
  const process = vmmOf(world, vm);
  if (process !== undefined) world.cryWolf(process);
};

/** No question can be asked for a while. */
const blind: Fault = (world) => {
  world.host.blindUntil = world.clock.now + drawDurationMs(world);
  world.log.write("host blind", "-", world.host.blindUntil);
};

const stateWiped: Fault = (world) => {
  world.host.store.wipeRuntime(world.clock.now);
  world.host.intent.removeAll("state", world.clock.now);
  world.log.write("state wiped", "-");
};

const durableWiped: Fault = (world) => {
  world.host.store.wipeDurable();
  world.host.intent.removeAll("durable", world.clock.now);
  world.log.write("durable wiped", "-");
};

const stateUnwritable: Fault = (world) => {
  const { store } = world.host;
  store.setRuntimeWritable(false, world.clock.now);
  world.log.write("state unwritable", "-");
  forAWhile(world, () => store.setRuntimeWritable(true, world.clock.now));
};

const durableUnwritable: Fault = (world) => {
  const { store } = world.host;
  store.isDurableWritable = false;
  forAWhile(world, () => {
    store.isDurableWritable = true;
  });
};

const clockJump: Fault = (world) => {
  const byMs = world.random.pick([-3_600_000, -60_000, 5_000, 3_600_000, 86_400_000]);
  world.host.jumpWallClock(byMs);
  world.log.write("clock jumps", "-", byMs);
};

const agentKilled: Fault = (world) => {
  if (world.agent !== undefined) world.killAgent(world.agent);
};

/** At one of its next calls of the host, before or after the call has taken effect. */
const agentKilledAtCall: Fault = (world) => {
  const life = world.agent;
  if (life === undefined) return;
  life.killAtCall = { count: 1 + world.random.int(60), isAfterEffect: world.random.chance(0.5) };
};

/** Right when it is at work on that VM. */
const agentKilledAtWork: Fault = (world, vm) => {
  const point = world.random.pick(["recovery_attempting", "vm_starting", "launch", "state_saved", "fenced"]);
  world.setTripwire(point, vm.id, () => {
    const life = world.agent;
    if (life === undefined) return;
    world.clock.after(world.random.betweenMs(0, 30), () => world.killAgent(life, world.random.betweenMs(0, 500)));
  });
  const process = vmmOf(world, vm);
  if (process !== undefined) world.host.die(process, { code: undefined, signal: "SIGSEGV" });
};

const agentStopped: Fault = (world) => {
  if (world.agent !== undefined) world.stopAgent(world.agent);
};

const agentFrozen: Fault = (world) => {
  const life = world.agent;
  if (life === undefined || life.abort.signal.aborted) return;
  life.freeze();
  world.log.write("agent frozen", String(life.number));
  world.clock.after(world.random.betweenMs(100, 60_000), () => {
    life.thaw();
    world.log.write("agent thawed", String(life.number));
  });
};

const rival: Fault = (world) => {
  if (world.agent?.holdsLock) world.startRival();
};

const reload: Fault = (world) => {
  const policy = drawPolicy(world.random);
  world.log.write("reload", "-", policy);
  world.reload(policy, ["recovery"]);
};

const inspect: Fault = (world) => world.control({ kind: "inspect" });

/** The service manager stops the agent first, then each guest; then the host comes up again. */
const reboot: Fault = (world) => {
  const { host, random } = world;
  if (host.isShuttingDown) return;
  host.isShuttingDown = true;
  host.shutdownBeganAt = host.now;
  world.log.write("host shuts down", "-");
  if (random.chance(0.5)) {
    world.clock.after(random.betweenMs(0, 20_000), () => {
      if (world.agent !== undefined) world.stopAgent(world.agent);
    });
  }
  for (const vm of host.vms.values()) {
    world.clock.after(random.betweenMs(0, 30_000), () => {
      const process = host.isShuttingDown ? vmmOf(world, vm) : undefined;
      if (process !== undefined) host.die(process, { code: 0, signal: undefined });
    });
  }
  world.clock.after(random.betweenMs(30_000, 60_000), () => {
    world.removeAgent();
    host.reboot();
    world.log.write("host boots", "-");
    world.clock.after(random.betweenMs(1_000, 10_000), () => {
      if (world.agent === undefined) world.startAgent();
    });
  });
};

export const HOST_FAULTS = {
  "exit notices": exitNotices,
  "change notices": changeNotices,
  "early notice": earlyNotice,
  blind,
  "state wiped": stateWiped,
  "durable wiped": durableWiped,
  "state unwritable": stateUnwritable,
  "durable unwritable": durableUnwritable,
  "clock jump": clockJump,
  "agent killed": agentKilled,
  "agent killed at a call": agentKilledAtCall,
  "agent killed at work": agentKilledAtWork,
  "agent stopped": agentStopped,
  "agent frozen": agentFrozen,
  "second agent": rival,
  reload,
  inspect,
  reboot,
} as const satisfies Record<string, Fault>;
