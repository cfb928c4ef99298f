/**
 * A file system that can be made to hold up whoever writes to it, as a file server does that went away.
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Disk {
  /** Where it is mounted. */
  readonly path: string;
  freeze(): void;
  thaw(): void;
}

const BYTES = 16 * 1024 * 1024;

/** @returns why there was none; undefined when `use` used it */
export async function withDisk(use: (disk: Disk) => Promise<void>): Promise<string | undefined> {
  const directory = mkdtempSync(join(tmpdir(), "metald-disk-"));
  const image = join(directory, "image");
  const path = join(directory, "mounted");
  try {
    mkdirSync(path);
    writeFileSync(image, "");
    truncateSync(image, BYTES);
    for (const [program, ...args] of [
      ["mkfs.ext4", "-q", image],
      ["mount", "-o", "loop", image, path],
    ] as const) {
      const { status, error, stderr } = spawnSync(program, args, { encoding: "utf8" });
      if (status !== 0) return `${program}: ${error?.message ?? stderr}`;
    }
    let isFrozen = false;
    const thaw = () => {
      if (isFrozen) run("fsfreeze", "--unfreeze", path);
      isFrozen = false;
    };
    try {
      await use({
        path,
        freeze() {
          run("fsfreeze", "--freeze", path);
          isFrozen = true;
        },
        thaw,
      });
    } finally {
      thaw();
      run("umount", "--lazy", path);
    }
    return undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(program: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot run ${program} ${args.join(" ")}: ${stderr}`);
}
