/**
 * The root of a Debian 12 that has systemd and nothing else: what is missing on it, an installation must not need.
 *
 * `mmdebstrap` makes it from the package sources of this machine, once per list of packages: it takes up to a minute.
 * @module
 */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "./run_program.ts";

const CACHE = "/var/cache/metald-test";
const SUITE = "bookworm";
const PACKAGES = ["systemd", "systemd-sysv"];
/** Files that nobody reads on a host that lives for seconds. */
const EXCLUDED = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"];
const TIMEOUT_MS = 5 * 60_000;

/** For a test that may be the first to need it. */
export const ROOT_MADE = { timeout: TIMEOUT_MS + 60_000 };

let made: Promise<string> | undefined;

/** @returns its path */
export function bareRoot(): Promise<string> {
  made ??= make();
  return made;
}

async function make(): Promise<string> {
  const key = createHash("sha256")
    .update(JSON.stringify([SUITE, PACKAGES, EXCLUDED]))
    .digest("hex");
  const root = join(CACHE, `${SUITE}-${key.slice(0, 16)}`);
  if (existsSync(root)) return root;
  mkdirSync(CACHE, { recursive: true, mode: 0o755 });
  const own = mkdtempSync(`${root}.`);
  try {
    const argv = [
      ...["mmdebstrap", "--quiet", "--mode=root", "--format=directory", "--variant=minbase"],
      `--include=${PACKAGES.join(",")}`,
      ...(await acquireOptions()).map((option) => `--aptopt=${option}`),
      ...EXCLUDED.map((path) => `--dpkgopt=path-exclude=${path}`),
      ...[SUITE, join(own, "root"), ...sources()],
    ];
    const { code, stderr } = await runProgram(argv, { timeoutMs: TIMEOUT_MS });
    if (code !== 0) throw new Error(`Cannot make a bare root as mmdebstrap ended with ${code}\n${stderr}`);
    try {
      renameSync(join(own, "root"), root);
    } catch (error) {
      // Another test may have been quicker.
      if (!existsSync(root)) throw error;
    }
    return root;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

/** The machine's package sources of Debian itself. */
function sources(): string[] {
  const folder = "/etc/apt/sources.list.d";
  const listed = existsSync(folder) ? readdirSync(folder).filter((name) => /^debian\.(list|sources)$/.test(name)) : [];
  const list = "/etc/apt/sources.list";
  return [...(existsSync(list) ? [list] : []), ...listed.map((name) => join(folder, name))];
}

/** How the machine's apt reaches them: proxies, and what a snapshot of the archive needs. */
async function acquireOptions(): Promise<string[]> {
  const { stdout } = await runProgram(["apt-config", "dump", "Acquire"]);
  return stdout.split("\n").filter((line) => /^Acquire::\S+ ".+";$/.test(line));
}
