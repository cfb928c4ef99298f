/**
 * Probes of the guest itself, past its VMM.
 * @module
 */

import type { TcpGuestProbe } from "../domain/vm_record.ts";

export type GuestProbeResult =
  | { readonly kind: "success" }
  | { readonly kind: "failure"; readonly error: string }
  | { readonly kind: "unknown"; readonly error: string };

export interface GuestProbe {
  /** Succeeds when the guest accepts a TCP connection before the deadline. */
  tcp(target: TcpGuestProbe, timeoutMs: number): Promise<GuestProbeResult>;
}
