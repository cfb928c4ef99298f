/**
 * How one VMM process and the guest in it behave.
 *
 * What a fault changes here is the VMM's own: the next process of the VM starts well again, as on a real host.
 * @module
 */

import type { GuestState } from "../../src/domain/vmm.ts";

/**
 * - `ok`: answers
 * - `hung`: accepts and never answers
 * - `refusing`: alive, but its backlog is full, so that connecting is refused
 * - `wrong`: answers no JSON, or an error status
 * - `other_id`, `other_pid`: answers in the name of another VM or process
 */
export type ApiMode = "ok" | "hung" | "refusing" | "wrong" | "other_id" | "other_pid";

export interface VmmInstance {
  readonly socket: string | undefined;
  apiMode: ApiMode;
  guest: GuestState;
  /** From when on the API socket stands. */
  readonly apiUpAt: number;
  /** From when on the guest answers on the network. */
  readonly guestUpAt: number;
  /** A request to shut down is ignored, or obeyed after so long. */
  readonly ignoresShutdown: boolean;
  readonly shutdownMs: number;
  readonly ignoresTerm: boolean;
}

/** The VMM's own word for a state of its guest. */
export function rawWord(vmm: string, guest: GuestState): string {
  if (vmm === "qemu") return QEMU_WORDS[guest];
  return vmm === "firecracker" ? FIRECRACKER_WORDS[guest] : CLOUD_HYPERVISOR_WORDS[guest];
}

const QEMU_WORDS: Readonly<Record<GuestState, string>> = {
  running: "running",
  not_started: "prelaunch",
  shut_down: "shutdown",
  panicked: "guest-panicked",
  internal_error: "internal-error",
  paused: "paused",
  io_error: "io-error",
  migrated: "postmigrate",
  busy: "save-vm",
};

const FIRECRACKER_WORDS: Readonly<Record<GuestState, string>> = {
  ...QEMU_WORDS,
  running: "Running",
  not_started: "Not started",
  paused: "Paused",
};

const CLOUD_HYPERVISOR_WORDS: Readonly<Record<GuestState, string>> = {
  ...QEMU_WORDS,
  running: "Running",
  not_started: "Created",
  shut_down: "Shutdown",
  paused: "Paused",
  busy: "BreakPoint",
};

/** What a VMM of this kind can ever say: a Firecracker has no word for a panic. */
export function guestFaultsOf(vmm: string): readonly GuestState[] {
  switch (vmm) {
    case "qemu":
      return ["panicked", "internal_error", "shut_down", "paused", "io_error", "busy", "migrated", "not_started"];
    case "cloud-hypervisor":
      return ["not_started", "shut_down", "paused", "busy"];
    default:
      return ["not_started", "paused"];
  }
}
