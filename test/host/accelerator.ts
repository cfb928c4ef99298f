/**
 * Whether guests here run under KVM or must be emulated.
 *
 * A /dev/kvm that opens proves nothing: on a host that is itself a guest it may create VMs and run none. So the guest is
 * booted under it and must show two heartbeats.
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";

export type Accelerator = "kvm" | "tcg,tb-size=1";

const BOOT_TIMEOUT_MS = 4000;

let chosen: Promise<Accelerator> | undefined;

/** Probes once per process and says on the console what it chose. */
export function accelerator(elf: string): Promise<Accelerator> {
  chosen ??= choose(elf);
  return chosen;
}

async function choose(elf: string): Promise<Accelerator> {
  const kvm = await survivesKvm(elf);
  console.log(kvm ? "guests run under kvm" : "guests run under tcg, since none came up under kvm");
  return kvm ? "kvm" : "tcg,tb-size=1";
}

async function survivesKvm(elf: string): Promise<boolean> {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch {
    return false;
  }
  const args = ["-nodefaults", "-no-user-config", "-display", "none", "-M", "pc", "-accel", "kvm", "-m", "16"];
  const qemu = spawn("qemu-system-x86_64", [...args, "-kernel", elf, "-serial", "stdio"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const exited = once(qemu, "exit");
  const timeout = setTimeout(() => qemu.kill("SIGKILL"), BOOT_TIMEOUT_MS);
  let console = "";
  qemu.stdout.on("data", (bytes: Buffer) => {
    console += bytes.toString("latin1");
    if (console.includes("HEARTBEAT 2")) qemu.kill("SIGKILL");
  });
  await exited;
  clearTimeout(timeout);
  return console.includes("HEARTBEAT 2");
}
