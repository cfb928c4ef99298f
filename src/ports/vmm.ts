/**
 * The API of a VMM: one question, one request.
 * @module
 */

import type { VmId, VmmKind } from "../domain/vm_record.ts";
import type { GuestState } from "../domain/vmm.ts";

export interface VmmTarget {
  readonly id: VmId;
  readonly vmm: Exclude<VmmKind, "process">;
  readonly socket: string;
}

export type VmmAnswer =
  | {
      readonly kind: "state";
      readonly guest: GuestState;
      /** The VMM's own word for it. */
      readonly raw: string;
      /** The id and pid that the VMM claims, where its API tells. */
      readonly id: string | undefined;
      readonly pid: number | undefined;
    }
  /** The socket is missing, refuses, or nothing at all was answered before the deadline. */
  | { readonly kind: "silent"; readonly error: string }
  /** Something was answered, and it is wrong: a closed connection, an error status, too many bytes, no JSON. */
  | { readonly kind: "wrong"; readonly error: string }
  /** The question could not be asked (EMFILE, EACCES): this says nothing of the VM. */
  | { readonly kind: "unknown"; readonly error: string };

export type ShutdownRequest =
  /** The guest has been asked; it may ignore that. */
  | { readonly kind: "asked" }
  /** This VMM has no such request, or it did not take it. */
  | { readonly kind: "not_asked"; readonly error: string };

/** Whether somebody accepts connections at a socket's path. A full backlog refuses too, so `refused` does not mean dead. */
export type SocketState = "accepts" | "refuses" | "missing" | "unknown";

export interface Vmm {
  /** @param timeoutMs absolute, over everything it takes */
  query(target: VmmTarget, timeoutMs: number): Promise<VmmAnswer>;
  /** Asks the guest to shut itself down: ACPI power button, Ctrl-Alt-Del. */
  shutdown(target: VmmTarget, timeoutMs: number): Promise<ShutdownRequest>;
  socketState(path: string, timeoutMs: number): Promise<SocketState>;
}
