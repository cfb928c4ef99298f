/**
 * What tests of the systemd adapters need of a host whose PID 1 is systemd. Elsewhere they are skipped and say why;
 * test/host runs them in a throw-away host.
 * @module
 */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createServiceManager } from "../../../src/adapters/systemd/manager.ts";

export const needsSystemd =
  process.getuid?.() === 0 && existsSync("/run/systemd/system") ? false : "needs root and systemd as PID 1";

export const manager = createServiceManager();

/** Ends a unit and all that is left of it. */
export function removeUnit(unit: string): void {
  for (const args of [["kill", "--signal=SIGKILL"], ["stop"], ["reset-failed"]]) {
    try {
      execFileSync("systemctl", [...args, unit], { stdio: "ignore" });
    } catch {
      // It is not there, which is what is wanted.
    }
  }
}

/** The output of a unit's program so far. */
export function journalOf(unit: string): string {
  execFileSync("journalctl", ["--sync"]);
  return execFileSync("journalctl", ["--quiet", "--output=cat", `_SYSTEMD_UNIT=${unit}`], { encoding: "utf8" });
}
