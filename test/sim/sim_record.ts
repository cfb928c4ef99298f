/**
 * Records of VMs, as an operator of the simulated host writes them.
 * @module
 */

import type { HealthPolicy } from "../../src/domain/policy.ts";
import type {
  DesiredState,
  Disk,
  GuestProbes,
  RestartPolicy,
  VmmKind,
  VmRecord,
  VmRecoveryPolicy,
} from "../../src/domain/vm_record.ts";

export interface RecordSpec {
  readonly id: string;
  readonly desired: DesiredState;
  readonly vmm: VmmKind;
  readonly socket: string | undefined;
  readonly hasLaunch: boolean;
  readonly user: string | undefined;
  readonly beforeStart: boolean;
  readonly disks: readonly Disk[];
  readonly priority: number;
  readonly restart: RestartPolicy;
  readonly stop: "ask" | "force";
  readonly guest: GuestProbes;
  readonly healthCheck: Partial<HealthPolicy>;
  readonly recovery: Partial<VmRecoveryPolicy>;
  /** Makes one content differ from another, and the launch part too. */
  readonly revision: number;
}

const PROGRAMS: Readonly<Record<VmmKind, string>> = {
  firecracker: "firecracker",
  "cloud-hypervisor": "cloud-hypervisor",
  qemu: "qemu-system-x86_64",
  process: "worker",
};

export function programOf(vmm: VmmKind): string {
  return PROGRAMS[vmm];
}

export function argvOf(spec: RecordSpec): readonly string[] {
  const argv = [`/usr/bin/${programOf(spec.vmm)}`, "--id", spec.id];
  if (spec.socket !== undefined) argv.push("--api-sock", spec.socket);
  argv.push("--revision", String(spec.revision));
  return argv;
}

export function recordOf(spec: RecordSpec): VmRecord {
  const argv = argvOf(spec);
  return {
    id: spec.id,
    desired: spec.desired,
    vmm: spec.vmm,
    socket: spec.socket,
    launch: spec.hasLaunch
      ? {
          kind: "argv",
          argv,
          env: {},
          cwd: "/",
          user: spec.user,
          cleanup: [`/run/vms/${spec.id}.vsock`],
          beforeStart: spec.beforeStart ? [["/usr/local/bin/tap-up", spec.id]] : [],
          afterStop: [],
          hookTimeoutMs: 10_000,
        }
      : undefined,
    disks: spec.disks,
    priority: spec.priority,
    restart: spec.restart,
    stop: spec.stop,
    guest: spec.guest,
    healthCheck: spec.healthCheck,
    recovery: spec.recovery,
    contentHash: digest(JSON.stringify(spec)),
    launchHash: digest(JSON.stringify([spec.vmm, spec.socket, spec.hasLaunch, argv, spec.user, spec.disks])),
  };
}

/** FNV-1a, twice over, as hexadecimal: equal texts agree, and these few texts do not collide. */
function digest(text: string): string {
  let low = 0x811c9dc5;
  let high = 0x1000193;
  for (let index = 0; index < text.length; index++) {
    low = Math.imul(low ^ text.charCodeAt(index), 16777619);
    high = Math.imul(high ^ text.charCodeAt(index), 0x5bd1e995);
  }
  return (low >>> 0).toString(16).padStart(8, "0") + (high >>> 0).toString(16).padStart(8, "0");
}
