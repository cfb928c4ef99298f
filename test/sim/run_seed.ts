/**
 * One seed from beginning to end: draw a host and a fault mix, let it run under fire, then let it come to rest.
 * @module
 */

import { watchAccounts } from "./checkers/accounts.ts";
import { watchLaunches } from "./checkers/launches.ts";
import { watchNotice } from "./checkers/notice.ts";
import { watchSignals } from "./checkers/signals.ts";
import type { Drain } from "./drain.ts";
import { drawFaultMix, drawLatency, drawVms, type FaultMix } from "./draw.ts";
import { drawPolicy } from "./draw_policy.ts";
import { FAULTS } from "./faults/fault_table.ts";
import { runLiveness } from "./liveness.ts";
import { SimRandom } from "./sim_random.ts";
import type { RecordSpec } from "./sim_record.ts";
import { type Violation, World } from "./world.ts";

export interface SeedOptions {
  readonly seed: number;
  /** Simulated hours under fire; the liveness phase comes on top. */
  readonly hours: number;
  readonly drain: Drain;
}

export interface SeedResult {
  readonly seed: number;
  readonly simulatedHours: number;
  readonly eventsRun: number;
  /** Equal for equal seeds, under any runtime. */
  readonly hash: number;
  readonly violation: Violation | undefined;
  /** What a person needs to understand a violation; empty without one. */
  readonly report: readonly string[];
}

const HOUR_MS = 3_600_000;
const LOG_LINES_MAX = 250;

export async function runSeed(options: SeedOptions): Promise<SeedResult> {
  const { seed, hours, drain } = options;
  const draws = new SimRandom(seed);
  const policy = drawPolicy(draws);
  const mix = drawFaultMix(draws);
  const vmDraws = drawVms(draws);
  const world = new World({
    seed: (draws.next() * 4294967296) | 0,
    policy,
    latency: drawLatency(draws),
    launcherKind: draws.pick(["direct", "systemd"]),
    checkers: [watchLaunches, watchSignals, watchAccounts, watchNotice],
  });
  const intended = new Map<string, RecordSpec>();
  for (const { vm, spec } of vmDraws) {
    world.host.vms.set(vm.id, vm);
    world.host.registry.write(spec, 0);
    intended.set(vm.id, spec);
    // Some run already when the agent first comes.
    const record = world.host.registry.lastRecord(vm.id);
    if (record !== undefined && draws.chance(0.3)) {
      world.host.startVm(vm, record, { startedBy: "foreign", incarnation: undefined });
    }
  }
  world.clock.after(draws.betweenMs(0, 5_000), () => world.startAgent());
  scheduleFaults(world, mix);
  await world.runUntil(hours * HOUR_MS, drain);
  if (world.violation === undefined) await runLiveness(world, intended, drain);
  return {
    seed,
    simulatedHours: world.clock.now / HOUR_MS,
    eventsRun: world.clock.eventsRun,
    hash: world.clock.hash,
    violation: world.violation,
    report: world.violation === undefined ? [] : explain(world, seed, hours, mix, world.violation),
  };
}

function scheduleFaults(world: World, mix: FaultMix): void {
  const { clock, random } = world;
  const vms = [...world.host.vms.values()];
  const strike = (vmIndex: number): void => {
    if (world.areFaultsOver) return;
    const vm = vms[vmIndex % vms.length];
    if (vm === undefined) return;
    const name = random.pick(mix.names);
    world.log.write("fault", vm.id, name);
    FAULTS[name](world, vm);
    if (random.chance(mix.burst)) clock.after(random.betweenMs(0, 5_000), () => strike(vmIndex));
    else clock.after(random.betweenMs(0, mix.meanMs * 2), () => strike(random.int(vms.length)));
  };
  clock.after(random.betweenMs(0, mix.meanMs * 2), () => strike(random.int(vms.length)));
}

function explain(world: World, seed: number, hours: number, mix: FaultMix, violation: Violation): string[] {
  return [
    `seed ${seed} (--seed ${seed} --seeds 1 --hours ${hours}): ${violation.rule}`,
    `  at ${(violation.at / 1000).toFixed(3)} s, ${violation.subject}: ${violation.what}`,
    `  faults: every ${mix.meanMs / 1000} s, bursts ${mix.burst}: ${mix.names.join(", ")}`,
    `  policy: ${JSON.stringify(world.policy)}`,
    `  latency: ${JSON.stringify(world.latency)}`,
    ...world.host.registry.ids().map((id) => `  record: ${JSON.stringify(world.host.registry.specOf(id))}`),
    ...world.log.lines(LOG_LINES_MAX).map((line) => `  ${line}`),
  ];
}
