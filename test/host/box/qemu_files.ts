/**
 * QEMU for a host that has none: the program, the libraries it names and the firmware it loads, and no package.
 * @module
 */

import { spawn } from "node:child_process";
import type { Box } from "./box.ts";
import { runProgram } from "./run_program.ts";

const PROGRAM = "/usr/bin/qemu-system-x86_64";
/** What it loads by name once it runs. */
const LOADED = [
  "/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so",
  "/usr/share/seabios/bios-256k.bin",
  ...["kvmvapic.bin", "pvh.bin"].map((name) => `/usr/share/qemu/${name}`),
];

/** Copies this machine's QEMU. What the host has already stays as it is. */
export async function putQemu(box: Box): Promise<void> {
  const { stdout } = await runProgram(["ldd", PROGRAM]);
  const libraries = stdout.match(/\/\S+/g) ?? [];
  // The files themselves, under the names by which they are looked for.
  const pack = [
    "-C",
    "/",
    "--dereference",
    "-cf",
    "-",
    ...[PROGRAM, ...libraries, ...LOADED].map((path) => `.${path}`),
  ];
  const packed = spawn("tar", pack, { stdio: ["ignore", "pipe", "inherit"] });
  await box.output(["tar", "-C", "/", "--skip-old-files", "-xf", "-"], { input: packed.stdout });
}
