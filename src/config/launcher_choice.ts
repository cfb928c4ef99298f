/**
 * Decides which launcher starts VMs.
 *
 * `auto` is units of systemd wherever the agent may start such, and its own children elsewhere: in a container, and for a
 * user who tries it in a terminal.
 *
 * A process that the agent starts itself stays in the agent's control group. Inside a systemd service that group is ended
 * with the service, and all VMs with it: the very loss the agent exists to prevent. So there it is refused.
 * @module
 */

import { unreachable } from "../domain/unreachable.ts";
import { complaint } from "./complaint.ts";
import type { Settings } from "./configuration.ts";

/** Where the agent runs. */
export interface Surroundings {
  /** PID 1 is systemd. */
  readonly systemdIsInit: boolean;
  /** The agent's control group is a systemd service's. */
  readonly insideService: boolean;
  /** Only root may order units of the system about. */
  readonly isRoot: boolean;
}

export type LauncherChoice =
  | { readonly kind: "direct" | "systemd" }
  /** One line naming key, rule and value. */
  | { readonly kind: "rejected"; readonly error: string };

export function chooseLauncher(setting: Settings["launcher"], surroundings: Surroundings): LauncherChoice {
  switch (setting) {
    case "systemd":
      if (!surroundings.systemdIsInit) {
        return { kind: "rejected", error: complaint("launcher", "PID 1 of this host must be systemd", setting) };
      }
      if (surroundings.isRoot) return { kind: "systemd" };
      return { kind: "rejected", error: complaint("launcher", "only root may start units of the system", setting) };
    case "auto":
      if (surroundings.systemdIsInit && surroundings.isRoot) return { kind: "systemd" };
      return chooseDirect(setting, surroundings);
    case "direct":
      return chooseDirect(setting, surroundings);
    default:
      return unreachable(setting);
  }
}

function chooseDirect(setting: Settings["launcher"], surroundings: Surroundings): LauncherChoice {
  if (!(surroundings.systemdIsInit && surroundings.insideService)) return { kind: "direct" };
  return {
    kind: "rejected",
    error: complaint("launcher", "VMs started directly inside a systemd service would end with it", setting),
  };
}

/** How to recognise the surroundings: texts of `/proc/1/comm` and `/proc/self/cgroup`, and the environment. */
export interface SurroundingsEvidence {
  readonly initName: string;
  readonly cgroupText: string;
  /** systemd sets it for services, and their descendants in other units inherit it. */
  readonly invocationId: string | undefined;
  /** Of the agent. */
  readonly uid: number;
}

/** https://man7.org/linux/man-pages/man7/cgroups.7.html, "/proc/pid/cgroup" */
export function surroundingsOf(evidence: SurroundingsEvidence): Surroundings {
  const paths = evidence.cgroupText
    .split("\n")
    .filter((line) => line.startsWith("0::") || line.includes(":name=systemd:"))
    .map((line) => line.slice(line.indexOf(":", line.indexOf(":") + 1) + 1));
  const known = paths.filter((path) => path !== "/");
  return {
    systemdIsInit: evidence.initName.trim() === "systemd",
    // A shell in a user's session inherits the variable from the user's manager, so it decides only where the path tells nothing.
    insideService:
      known.length > 0 ? known.some((path) => path.endsWith(".service")) : evidence.invocationId !== undefined,
    isRoot: evidence.uid === 0,
  };
}
