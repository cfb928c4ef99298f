/**
 * Three virtual machines for the demonstration: real QEMU guests where QEMU is installed, plain processes otherwise.
 *
 * Without a disk the guest is the BIOS, which finds nothing to boot and stays there. That is a running guest all the same, and needs
 * no image. `tcg` works on every host, with KVM or without.
 * @module
 */

import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

export const DEMO_VM_IDS = ["demo-1", "demo-2", "demo-3"] as const;

/** The environment variable that marks every process of one demonstration; its value is the demonstration's directory. */
export const DEMO_VARIABLE = "METALD_DEMO";

export interface DemoVms {
  /** For the person who watches. */
  readonly description: string;
  readonly recordOf: (id: string) => object;
}

export function demoVms(directory: string): DemoVms {
  const env = { [DEMO_VARIABLE]: directory };
  const qemu = programOnPath("qemu-system-x86_64");
  if (qemu === undefined) {
    const argv = ["/bin/sleep", "86400"];
    return {
      description: "three plain processes (no qemu-system-x86_64 here)",
      recordOf: (id) => ({ id, state: "running", vmm: "process", launch: { argv, env } }),
    };
  }
  return {
    description: `three QEMU guests (${qemu}, tcg)`,
    recordOf: (id) => {
      const socket = join(directory, `${id}.qmp`);
      const machine = [
        "-name",
        id,
        "-M",
        "pc",
        "-m",
        "16",
        "-accel",
        "tcg,tb-size=1",
        "-nodefaults",
        "-display",
        "none",
      ];
      const argv = [qemu, ...machine, "-qmp", `unix:${socket},server=on,wait=off`];
      return { id, state: "running", vmm: "qemu", socket, launch: { argv, env } };
    },
  };
}

/** Writes a configuration with the defaults of everything but the places. @returns its path */
export function writeDemoFiles(directory: string, vms: DemoVms): string {
  const registry = join(directory, "vms");
  mkdirSync(registry, { mode: 0o700 });
  for (const id of DEMO_VM_IDS) {
    writeFileSync(join(registry, `${id}.json`), JSON.stringify(vms.recordOf(id), undefined, 2), { mode: 0o600 });
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
