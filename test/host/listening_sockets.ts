/**
 * What a process listens on, as the kernel tells.
 * @module
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Lines of `/proc/<pid>/net` about sockets of this process that listen, on any address or path. */
export function listeningSockets(pid: number): readonly string[] {
  const own = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
    if (inode !== undefined) own.add(inode);
  }
  const rows = (table: string) => readFileSync(`/proc/${pid}/net/${table}`, "utf8").trim().split("\n").slice(1);
  const internet = ["tcp", "tcp6", "udp", "udp6"]
    .flatMap(rows)
    .filter((row) => own.has(row.trim().split(/\s+/)[9] ?? ""));
  // Flags of a listening unix socket: __SO_ACCEPTCON.
  const unix = rows("unix").filter((row) => {
    const [, , , flags, , , inode = ""] = row.trim().split(/\s+/);
    return flags === "00010000" && own.has(inode);
  });
  return [...internet, ...unix];
}
