/**
 * What a seed draws before its world begins: the VMs, how fast calls are, and which faults will come how often.
 * @module
 */

import type { VmmKind } from "../../src/domain/vm_record.ts";
import type { Latency } from "./agent_life.ts";
import { FAULTS, type FaultName } from "./faults/fault_table.ts";
import type { SimRandom } from "./sim_random.ts";
import type { RecordSpec } from "./sim_record.ts";
import { type SimVm, simVm } from "./sim_vm.ts";

const KINDS: readonly VmmKind[] = ["firecracker", "cloud-hypervisor", "qemu", "process"];
const VMS_MAX = 8;

export interface VmDraw {
  readonly vm: SimVm;
  readonly spec: RecordSpec;
}

export function drawVms(random: SimRandom): VmDraw[] {
  const count = 1 + random.int(VMS_MAX);
  return Array.from({ length: count }, (_, index) => drawVm(random, index));
}

function drawVm(random: SimRandom, index: number): VmDraw {
  const id = `vm-${index + 1}`;
  const kind = random.pick(KINDS);
  const isProcess = kind === "process";
  const hasWrapper = !isProcess && random.chance(0.2);
  const vm = simVm({ id, index, kind, hasWrapper, hasHelper: !isProcess && random.chance(0.2) });
  const spec: RecordSpec = {
    id,
    desired: random.chance(0.9) ? "running" : "stopped",
    vmm: kind,
    socket: vm.socket,
    hasLaunch: random.chance(0.95),
    user: random.chance(0.3) ? "kvm1" : undefined,
    beforeStart: random.chance(0.2),
    disks: isProcess && random.chance(0.5) ? [] : [{ path: vm.diskPath, shared: random.chance(0.1) }],
    priority: random.int(3),
    restart: "always",
    stop: random.chance(0.3) ? "force" : "ask",
    guest: random.chance(isProcess ? 0.1 : 0.6) ? { tcp: { host: vm.tcpHost, port: 22 } } : {},
    healthCheck: random.chance(0.1) ? { failureThreshold: 4 } : {},
    recovery: random.chance(0.3) ? { allowDataLoss: random.chance(0.7) } : {},
    revision: 1,
  };
  return { vm, spec };
}

export function drawLatency(random: SimRandom): Latency {
  const instant = random.pick([0.95, 0.95, 0.5, 0]);
  return { instant, usualMsMax: random.pick([2, 20, 200]), slow: 0.01, slowMsMax: random.pick([200, 3_000]) };
}

export interface FaultMix {
  /** Mean time between faults. */
  readonly meanMs: number;
  /** Probability that another fault follows at once, on the same VM. */
  readonly burst: number;
  readonly names: readonly FaultName[];
}

export function drawFaultMix(random: SimRandom): FaultMix {
  const keep = random.pick([0.15, 0.4, 1]);
  const names = (Object.keys(FAULTS) as FaultName[]).filter(() => random.chance(keep));
  if (names.length === 0) names.push("crash");
  return { meanMs: random.pick([30_000, 120_000, 600_000]), burst: random.pick([0, 0.3, 0.6]), names };
}
