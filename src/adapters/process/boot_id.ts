/**
 * The identity of this boot of the host: https://man7.org/linux/man-pages/man4/random.4.html
 * @module
 */

import { readFileSync } from "node:fs";

/** @throws {Error} When it cannot be read: no identity of a process would mean anything. */
export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}
