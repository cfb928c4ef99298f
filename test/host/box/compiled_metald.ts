/**
 * Other versions of the binary than the built one, for upgrades.
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { makeBaseExecutable } from "../../tool/base_executable.ts";
import { compile } from "../../tool/compile.ts";

/** `other_metald` is as good as the built one, and not the same; `crashing_metald` ends as soon as it is started. */
export type Variant = "other_metald" | "crashing_metald";

/** Compiles it for `use` and removes it afterwards. */
export async function withVariant(variant: Variant, use: (binary: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "metald-variant-"));
  try {
    const architecture = process.arch === "arm64" ? "arm64" : "x64";
    const base = makeBaseExecutable(architecture, join(directory, "base"));
    if (base.kind === "unavailable") throw new Error(base.reason);
    const entry = fileURLToPath(new URL(`${variant}.ts`, import.meta.url));
    const outfile = join(directory, "metald");
    compile({ entry, outfile, architecture, base: base.path });
    await use(outfile);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
