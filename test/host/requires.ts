/**
 * Suites that need something of the host, and say so in the name of what is skipped where it is missing.
 * @module
 */

import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";

export interface Requirement {
  /** As a person would say it, with the Debian package. */
  readonly what: string;
  readonly met: () => boolean;
}

function runs(program: string): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

export const QEMU: Requirement = {
  what: "qemu-system-x86_64 (Debian: qemu-system-x86)",
  met: () => runs("qemu-system-x86_64"),
};

export const GCC: Requirement = { what: "gcc (Debian: gcc)", met: () => runs("gcc") };

/** A suite, or one skipped test that names what it lacks. */
export function describeWhere(requirements: readonly Requirement[], name: string, body: () => void): void {
  const missing = requirements.filter(({ met }) => !met()).map(({ what }) => what);
  if (missing.length === 0) describe(name, body);
  else it(`${name}: needs ${missing.join(" and ")}`, { skip: true }, () => undefined);
}
