/**
 * The simulated host as the contract suites of the ports want it: one world without faults, whose clock runs while they wait.
 * @module
 */

import { setImmediate } from "node:timers";
import type { Dependencies } from "../../src/reliability/dependencies.ts";
import { facadeOf } from "./agent_facade.ts";
import { AgentLife } from "./agent_life.ts";
import { loadDrain } from "./drain.ts";
import { DEFAULT_POLICY } from "./draw_policy.ts";
import { AGENT_UID } from "./ownership.ts";
import type { SimProcess } from "./sim_process.ts";
import { SimRandom } from "./sim_random.ts";
import type { RecordSpec } from "./sim_record.ts";
import { type SimVm, simVm } from "./sim_vm.ts";
import { World } from "./world.ts";

const STEP_MS = 10;
const STEPS_MAX = 10_000;
const PROMPT = { instant: 1, usualMsMax: 0, slow: 0, slowMsMax: 0 };

export interface ContractHost {
  readonly world: World;
  /** The ports of one more agent on this host. */
  agent(): Dependencies;
  addVm(kind: SimVm["kind"], id?: string): SimVm;
  spec(vm: SimVm, desired?: RecordSpec["desired"]): RecordSpec;
  spawn(marks?: Partial<Pick<SimProcess, "vmId" | "launchHash" | "incarnation">>): SimProcess;
  /** Lets the clock run until the condition holds. */
  eventually(condition: () => boolean | Promise<boolean>): Promise<void>;
  /** Lets the clock run until the promise is settled. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Lets the clock run until `dispose`. */
  start(): void;
  dispose(): Promise<void>;
}

export async function contractHost(): Promise<ContractHost> {
  const drain = await loadDrain();
  const world = new World({ seed: 1, policy: DEFAULT_POLICY, latency: PROMPT, launcherKind: "direct", checkers: [] });
  const lives: AgentLife[] = [];
  let isRunning = false;
  let run: Promise<void> = Promise.resolve();
  const step = async (): Promise<void> => {
    await world.runUntil(world.clock.now + STEP_MS, drain);
    await new Promise((resolve) => setImmediate(resolve));
  };
  await step();

  const host: ContractHost = {
    world,
    agent() {
      const life = new AgentLife(lives.length + 1, world.host, new SimRandom(lives.length), PROMPT);
      lives.push(life);
      return facadeOf(world, life);
    },
    addVm(kind, id) {
      const index = world.host.vms.size;
      const vm = simVm({ id: id ?? `vm-${index + 1}`, index, kind, hasWrapper: false, hasHelper: false });
      world.host.vms.set(vm.id, vm);
      return vm;
    },
    spec: (vm, desired = "running") => ({
      id: vm.id,
      desired,
      vmm: vm.kind,
      socket: vm.socket,
      hasLaunch: true,
      user: undefined,
      beforeStart: false,
      disks: [],
      priority: 0,
      restart: "always",
      stop: "ask",
      guest: {},
      healthCheck: {},
      recovery: {},
      revision: 1,
    }),
    spawn: (marks = {}) =>
      world.host.spawn({
        role: "stranger",
        vm: undefined,
        startedBy: "foreign",
        uid: AGENT_UID,
        exe: "worker",
        argv: ["/usr/bin/worker"],
        vmId: marks.vmId,
        launchHash: marks.launchHash,
        incarnation: marks.incarnation,
        unit: undefined,
        parentPid: 1,
      }),
    async eventually(condition) {
      for (let steps = 0; steps < STEPS_MAX; steps++) {
        if (await condition()) return;
        await step();
      }
      throw new Error("Cannot go on as a condition must come true: current value is false");
    },
    async settle(promise) {
      let isSettled = false;
      const end = (): void => {
        isSettled = true;
      };
      promise.then(end, end);
      await host.eventually(() => isSettled);
      return await promise;
    },
    start() {
      isRunning = true;
      run = (async () => {
        while (isRunning) await step();
      })();
    },
    async dispose() {
      isRunning = false;
      await run;
    },
  };
  return host;
}
