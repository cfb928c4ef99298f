/**
 * The systemd unit in whose control group a process runs, from `/proc/<pid>/cgroup`.
 * @module
 */

const UNIT = /\.(service|scope|socket|mount|swap)$/;
const DELETED = " (deleted)";

/**
 * The innermost unit of the unified hierarchy, else of systemd's own one. A unit may have control groups of its own
 * making below it (`/a.service/worker`). Slices hold no processes.
 */
export function unitOf(cgroupText: string): string | undefined {
  const lines = cgroupText.split("\n");
  const line = lines.find((each) => each.startsWith("0::")) ?? lines.find((each) => each.includes(":name=systemd:"));
  if (line === undefined) return undefined;
  const path = line.slice(line.indexOf(":", line.indexOf(":") + 1) + 1);
  const names = (path.endsWith(DELETED) ? path.slice(0, -DELETED.length) : path).split("/");
  const unit = names.findLast((name) => UNIT.test(name));
  // systemd puts an underscore before names that the kernel would take for its own files.
  return unit?.startsWith("_") ? unit.slice(1) : unit;
}
