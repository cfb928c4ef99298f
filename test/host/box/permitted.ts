/**
 * What a machine must permit before a host can be booted on it.
 * @module
 */

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import process from "node:process";
import type { Requirement } from "../requires.ts";
import { cgroupMount } from "./box.ts";

/** Every kind that a box has; a container may be denied any of them. */
const NAMESPACES = ["--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--cgroup"];

export const NAMESPACED_HOST: Requirement = {
  what: "root, namespaces, cgroups of version 2 and systemd (Debian: systemd)",
  met: () =>
    process.geteuid?.() === 0 &&
    spawnSync("unshare", [...NAMESPACES, "test", "-x", "/lib/systemd/systemd"]).status === 0 &&
    isWritable(`${cgroupMount()}/cgroup.procs`),
};

export const MMDEBSTRAP: Requirement = {
  what: "mmdebstrap (Debian: mmdebstrap)",
  met: () => spawnSync("mmdebstrap", ["--version"]).status === 0,
};

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
