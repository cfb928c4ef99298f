/**
 * Programs an operator wants run around the life of a VMM, and the files it leaves behind.
 * @module
 */

import type { VmId } from "../domain/vm_record.ts";

export interface HookRequest {
  readonly vmId: VmId;
  readonly hook: "before_start" | "after_stop";
  readonly argv: readonly string[];
  readonly timeoutMs: number;
}

export type HookOutcome = { readonly kind: "done" } | { readonly kind: "failed"; readonly error: string };

export interface Hooks {
  /** Runs one hook to its end; at the deadline every process of it is ended. */
  run(request: HookRequest): Promise<HookOutcome>;
  /** Unlinks files and sockets, never directories, never through a link. What is absent already is fine. */
  removeLeftovers(paths: readonly string[]): Promise<HookOutcome>;
}
