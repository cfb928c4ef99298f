/**
 * The command line that runs the fake VMM (program.ts) under a VMM's name.
 *
 * The agent knows a VMM by its executable's name. So the fake is run by a hard link to the pinned Bun, named like the
 * VMM: that is what `/proc/<pid>/exe` shows, and it costs neither a build nor a copy of 100 MB.
 * @module
 */

import { copyFileSync, existsSync, linkSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export type FakeVmmKind = "firecracker" | "cloud-hypervisor";

const BUN = fileURLToPath(new URL("../../node_modules/bun/bin/bun.exe", import.meta.url));
const PROGRAM = fileURLToPath(new URL("./program.ts", import.meta.url));
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/fake_vmm", import.meta.url));

export interface FakeVmmArguments {
  readonly kind: FakeVmmKind;
  readonly id: string;
  readonly socketPath: string;
  /** See control.ts. */
  readonly controlPath: string;
}

/** @returns a VM record's `launch.argv`; Cloud Hypervisor has no `--id` */
export function fakeVmmArgv({ kind, id, socketPath, controlPath }: FakeVmmArguments): readonly [string, ...string[]] {
  const program = [executable(kind), PROGRAM] as const;
  switch (kind) {
    case "firecracker":
      return [...program, "--id", id, "--api-sock", socketPath, "--config-file", controlPath];
    case "cloud-hypervisor":
      return [...program, "--api-socket", socketPath, "--config-file", controlPath];
  }
}

function executable(kind: FakeVmmKind): string {
  const path = join(CACHE, kind);
  if (existsSync(path)) return path;
  mkdirSync(CACHE, { recursive: true });
  const own = `${path}.${process.pid}`;
  try {
    linkSync(BUN, own);
  } catch {
    copyFileSync(BUN, own);
  }
  // Two test processes may arrive here at once: whoever links first has made the same file.
  try {
    linkSync(own, path);
  } catch (error) {
    if (!existsSync(path)) throw error;
  } finally {
    rmSync(own);
  }
  return path;
}
