/**
 * What a VMM can say of its guest, in words common to all VMMs.
 * @module
 */

import type { VmmKind } from "./vm_record.ts";

/**
 * - `running`: the guest executes (which says nothing of whether it works)
 * - `not_started`: an empty VMM (`Not started`, `Created`, `prelaunch`)
 * - `shut_down`: the guest powered itself off (`Shutdown`, `shutdown`)
 * - `panicked`, `internal_error`: the guest executes no more
 * - `paused`: somebody's snapshot or debugger
 * - `io_error`: QEMU stopped it since its disk failed
 * - `migrated`: the guest went to another host (`postmigrate`)
 * - `busy`: any other state, known or not: migrating, saving, restoring
 */
export type GuestState =
  | "running"
  | "not_started"
  | "shut_down"
  | "panicked"
  | "internal_error"
  | "paused"
  | "io_error"
  | "migrated"
  | "busy";

/** The VMM that an executable is, by its base name; undefined for any other program. */
export function vmmOf(exe: string): VmmKind | undefined {
  if (exe === "firecracker" || exe === "cloud-hypervisor") return exe;
  return exe.startsWith("qemu-system-") ? "qemu" : undefined;
}
