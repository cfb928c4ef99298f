/**
 * Directories that must lie apart: the registry is the operator's, and the agent writes in its own two.
 *
 * It keeps what it knows of a VM in `<state_dir>/vms/<id>.json`. With `/srv/vms` as the registry and `/srv` as `state_dir`,
 * that is the VM's record, which the agent would overwrite.
 * @module
 */

import { resolve } from "node:path";
import { complaint } from "./complaint.ts";

export interface Directories {
  readonly registryPath: string;
  readonly stateDir: string;
  readonly durableDir: string;
}

/** One complaint for each directory of the agent that the registry lies in, or that lies in the registry. */
export function overlapsOf({ registryPath, stateDir, durableDir }: Directories): string[] {
  const own = [
    ["state_dir", stateDir],
    ["durable_dir", durableDir],
  ] as const;
  return own
    .filter(([, path]) => contains(path, registryPath) || contains(registryPath, path))
    .map(([key, path]) =>
      complaint("registry.path", `it must lie apart from ${key} (${path}), where metald writes`, registryPath),
    );
}

function contains(directory: string, path: string): boolean {
  const outer = resolve(directory);
  const inner = resolve(path);
  return inner === outer || inner.startsWith(outer === "/" ? outer : `${outer}/`);
}
