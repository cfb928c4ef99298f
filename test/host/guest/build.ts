/**
 * Builds the guest (guest.c, start.S) with the host's gcc, once per content of its sources.
 * @module
 */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SOURCES = ["start.S", "guest.c"].map((name) => fileURLToPath(new URL(name, import.meta.url)));
const CACHE = fileURLToPath(new URL("../../../node_modules/.cache/guest", import.meta.url));

const FLAGS = [
  "-m32",
  "-O1",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-ffreestanding",
  "-fno-pic",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  "-nostdlib",
  "-static",
  "-no-pie",
  "-Wl,-Ttext-segment=0x100000,--entry=start,--build-id=none",
];

/**
 * @returns the path of the guest's ELF file, for QEMU's `-kernel`
 * @throws when gcc is missing or fails
 */
export function buildGuest(): string {
  const hash = createHash("sha256").update(FLAGS.join(" "));
  for (const source of SOURCES) hash.update(readFileSync(source));
  const elf = `${CACHE}/guest-${hash.digest("hex").slice(0, 16)}.elf`;
  if (existsSync(elf)) return elf;
  mkdirSync(CACHE, { recursive: true });
  const own = `${elf}.${process.pid}`;
  const gcc = spawnSync("gcc", [...FLAGS, "-o", own, ...SOURCES], { encoding: "utf8" });
  if (gcc.status !== 0) throw new Error(`Cannot build the guest as gcc failed: ${gcc.error?.message ?? gcc.stderr}`);
  renameSync(own, elf);
  return elf;
}
