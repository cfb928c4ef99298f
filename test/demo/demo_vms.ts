/**
 * Three virtual machines for the demonstration: real QEMU guests where QEMU is installed, plain processes otherwise.
 *
 * Without a disk the guest is the BIOS, which finds nothing to boot and stays there. That is a running guest all the same, and needs
 * no image. `tcg` works on every host, with KVM or without.
 *
 * They run before the agent does, as VMs do on the host of somebody who has just installed it. So the agent adopts them, and to
 * bring one back is its first attempt, which needs no wait.
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

export const DEMO_VM_IDS = ["demo-1", "demo-2", "demo-3"] as const;

/** The environment variable that marks every process of one demonstration; its value is the demonstration's directory. */
export const DEMO_VARIABLE = "DEMO_DIRECTORY";

export interface DemoVms {
  /** For the person who watches. */
  readonly description: string;
  readonly vmm: "qemu" | "process";
  readonly argvOf: (id: string) => readonly string[];
  /** The monitor's socket; undefined for plain processes. */
  readonly socketOf: (id: string) => string | undefined;
}

export function demoVms(directory: string): DemoVms {
  const qemu = programOnPath("qemu-system-x86_64");
  if (qemu === undefined) {
    return {
      description: "three plain processes (no qemu-system-x86_64 here)",
      vmm: "process",
      argvOf: () => ["/bin/sleep", "86400"],
      socketOf: () => undefined,
    };
  }
  const socketOf = (id: string) => join(directory, `${id}.qmp`);
  const machine = ["-M", "pc", "-m", "16", "-accel", "tcg,tb-size=1", "-nodefaults", "-display", "none"];
  return {
    description: `three QEMU guests (${qemu}, tcg)`,
    vmm: "qemu",
    argvOf: (id) => [qemu, "-name", id, ...machine, "-qmp", `unix:${socketOf(id)},server=on,wait=off`],
    socketOf,
  };
}

/** Starts all three, so that they outlive us, and waits until they can be talked to. @throws {Error} when they do not come up */
export async function startDemoVms(directory: string, vms: DemoVms, signal: AbortSignal): Promise<void> {
  for (const id of DEMO_VM_IDS) {
    const [program = "", ...args] = vms.argvOf(id);
    // By this variable the agent knows a process that speaks no API.
    const env = { [DEMO_VARIABLE]: directory, METALD_VM_ID: id };
    const child = spawn(program, args, { detached: true, stdio: "ignore", env });
    await once(child, "spawn", { signal });
    child.unref();
  }
  const sockets = DEMO_VM_IDS.map(vms.socketOf).filter((socket) => socket !== undefined);
  while (!sockets.every((socket) => existsSync(socket))) await sleep(20, undefined, { signal });
}

/** Writes a configuration with the defaults of everything but the places. @returns its path */
export function writeDemoFiles(directory: string, vms: DemoVms): string {
  const registry = join(directory, "vms");
  mkdirSync(registry, { mode: 0o700 });
  for (const id of DEMO_VM_IDS) {
    writeFileSync(join(registry, `${id}.json`), JSON.stringify(recordOf(id, directory, vms), undefined, 2), {
      mode: 0o600,
    });
  }
  const configuration = {
    registry: { type: "directory", path: registry },
    launcher: "direct",
    state_dir: join(directory, "run"),
    durable_dir: join(directory, "state"),
  };
  const path = join(directory, "config.jsonc");
  writeFileSync(path, JSON.stringify(configuration, undefined, 2), { mode: 0o600 });
  return path;
}

function recordOf(id: string, directory: string, vms: DemoVms): object {
  const launch = { argv: vms.argvOf(id), env: { [DEMO_VARIABLE]: directory } };
  return { id, state: "running", vmm: vms.vmm, socket: vms.socketOf(id), launch };
}

function programOnPath(name: string): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => folder.startsWith("/"))
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
