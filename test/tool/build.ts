/**
 * `npm run build`: fills `dist/` with all that is copied onto a host: the binary for each architecture, the installer,
 * and the checksums that it verifies. `dist/metald` is the binary for this machine.
 *
 * Everything is made in a temporary directory and renamed, so that a running `dist/metald` can be replaced and a failed
 * build leaves the old one.
 * @module
 */

import { createHash } from "node:crypto";
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type Architecture, makeBaseExecutable } from "./base_executable.ts";
import { compile } from "./compile.ts";
import { ROOT } from "./root.ts";

const ARCHITECTURES: readonly Architecture[] = ["x64", "arm64"];
const DIST = join(ROOT, "dist");

mkdirSync(DIST, { recursive: true });
const work = mkdtempSync(join(DIST, ".build-"));
try {
  const binaries = ARCHITECTURES.filter(built).map(binaryName);
  linkSync(join(work, binaryName(process.arch)), join(work, "metald"));
  copyFileSync(join(ROOT, "install.sh"), join(work, "install.sh"));
  const files = ["metald", ...binaries, "install.sh"];
  writeFileSync(join(work, "SHA256SUMS"), files.map((name) => `${sha256(join(work, name))}  ${name}\n`).join(""));
  for (const architecture of ARCHITECTURES) rmSync(join(DIST, binaryName(architecture)), { force: true });
  for (const name of [...files, "SHA256SUMS"]) renameSync(join(work, name), join(DIST, name));
  const sizeMb = (statSync(join(DIST, "metald")).size / 1e6).toFixed(0);
  console.log(`dist: ${files.join(", ")}, SHA256SUMS; a binary has ${sizeMb} MB`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

function binaryName(architecture: string): string {
  return `metald-linux-${architecture}`;
}

/** @returns whether it is there; a foreign one may be unavailable, and then that is said */
function built(architecture: Architecture): boolean {
  const base = makeBaseExecutable(architecture, join(work, `base-${architecture}`));
  if (base.kind === "unavailable") {
    console.log(`${base.reason}\nNot built: ${binaryName(architecture)}`);
    return false;
  }
  const outfile = join(work, binaryName(architecture));
  compile({ entry: join(ROOT, "src/main.ts"), outfile, architecture, base: base.path });
  return true;
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
