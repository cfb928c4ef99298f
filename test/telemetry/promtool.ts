/**
 * `promtool`, which judges rules, metrics and expressions as Prometheus itself would.
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Requirement } from "../host/requires.ts";

export const PROMTOOL: Requirement = {
  what: "promtool (Debian: prometheus)",
  met: () => spawnSync("promtool", ["--version"]).status === 0,
};

export interface Verdict {
  readonly passed: boolean;
  readonly output: string;
}

export function promtool(args: readonly string[], input = ""): Verdict {
  const { status, stdout, stderr } = spawnSync("promtool", args, { input, encoding: "utf8" });
  return { passed: status === 0, output: `${stdout}${stderr}` };
}

/** Writes `document` as a file of YAML, of which JSON is a part, for as long as `use` runs. */
export function withYamlFile<T>(document: unknown, use: (path: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "metald-promtool-"));
  try {
    const path = join(directory, "file.yaml");
    writeFileSync(path, JSON.stringify(document));
    return use(path);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
