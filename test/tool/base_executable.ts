/**
 * The Bun executable that a compiled binary is built on, made deaf to variables that would turn the binary into something
 * else.
 *
 * With BUN_BE_BUN a compiled binary is the Bun command line; BUN_OPTIONS and BUN_INSPECT_PRELOAD run code of the caller's
 * choice in it; BUN_INSPECT opens a debugger's port. No option of the compiler stops any of these, so the names themselves
 * are changed: each begins with a NUL, which no variable's name can.
 * @module
 */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT, tool } from "./root.ts";

export type Architecture = "x64" | "arm64";

/** Prefixes: BUN_INSPECT stands for BUN_INSPECT_PRELOAD and its other relatives as well. */
export const REFUSED_VARIABLES = ["BUN_BE_BUN", "BUN_OPTIONS", "BUN_INSPECT"] as const;

const CACHE = join(ROOT, "node_modules/.cache/bun");
const DOWNLOAD_TIMEOUT_MS = 120_000;

export type BaseExecutable =
  | { readonly kind: "made"; readonly path: string }
  /** `reason`: one sentence. */
  | { readonly kind: "unavailable"; readonly reason: string };

/** Writes it to `path`. That of another architecture comes from npm, once per version of Bun. */
export function makeBaseExecutable(architecture: Architecture, path: string): BaseExecutable {
  const original =
    architecture === process.arch ? ({ kind: "made", path: tool("bun") } as const) : fetchBun(architecture);
  if (original.kind === "unavailable") return original;
  writeFileSync(path, withoutVariables(readFileSync(original.path)), { mode: 0o755 });
  return { kind: "made", path };
}

/** @throws where a name is not there: this version of Bun must be looked at before it is trusted */
function withoutVariables(executable: Buffer): Buffer {
  for (const name of REFUSED_VARIABLES) {
    let at = executable.indexOf(name);
    if (at === -1) throw new Error(`Cannot build on this Bun as it must contain ${name}: current value is none`);
    for (; at !== -1; at = executable.indexOf(name, at)) executable[at] = 0;
  }
  return executable;
}

function fetchBun(architecture: Architecture): BaseExecutable {
  const name = `@oven/bun-linux-${architecture === "arm64" ? "aarch64" : "x64"}`;
  const { version, integrity } = lockedPackage(name);
  const path = join(CACHE, `bun-linux-${architecture}-${version}`);
  if (existsSync(path)) return { kind: "made", path };
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, ".fetch-"));
  try {
    const pack = spawnSync("npm", ["pack", "--loglevel=error", `${name}@${version}`], {
      cwd: work,
      encoding: "utf8",
      timeout: DOWNLOAD_TIMEOUT_MS,
    });
    if (pack.status !== 0) {
      const why = pack.stderr.trim().split("\n")[0] || `npm pack ended with ${pack.status ?? pack.signal}`;
      return { kind: "unavailable", reason: `Cannot fetch ${name}@${version}: ${why}` };
    }
    const archive = join(work, pack.stdout.trim());
    const found = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
    if (found !== integrity) {
      throw new Error(
        `Cannot use ${name}@${version} as it must be what the lock file names: current value is ${found}`,
      );
    }
    const unpack = spawnSync("tar", ["-xzf", archive, "-C", work, "package/bin/bun"], { encoding: "utf8" });
    if (unpack.status !== 0) throw new Error(`Cannot unpack ${name}@${version}: ${unpack.stderr}`);
    renameSync(join(work, "package/bin/bun"), path);
    return { kind: "made", path };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function lockedPackage(name: string): { readonly version: string; readonly integrity: string } {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const { version, integrity } = lock.packages[`node_modules/${name}`];
  return { version, integrity };
}
