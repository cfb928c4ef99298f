/**
 * Puts what an operator would copy onto a host into a throw-away one: the binary, its checksum, the installer.
 * @module
 */

import { createHash } from "node:crypto";
import { chmodSync, constants, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../../tool/root.ts";
import type { Box } from "./box.ts";

const NAME = `metald-linux-${process.arch}`;
/** What `npm run build` makes. */
export const BUILT_BINARY = join(ROOT, "dist", NAME);

/** Below `to`, in the host. */
export async function putDistribution(box: Box, to: string, binary = BUILT_BINARY): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "metald-dist-"));
  try {
    copyFileSync(binary, join(directory, NAME), constants.COPYFILE_FICLONE);
    copyFileSync(join(ROOT, "install.sh"), join(directory, "install.sh"));
    const sum = createHash("sha256").update(readFileSync(binary)).digest("hex");
    writeFileSync(join(directory, "SHA256SUMS"), `${sum}  ${NAME}\n`);
    chmodSync(directory, 0o755);
    await box.put(directory, to);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
