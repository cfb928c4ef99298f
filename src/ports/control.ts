/**
 * What an operator tells a running agent, by signals.
 * @module
 */

import type { Policy } from "../domain/policy.ts";

export type ControlRequest =
  /** A re-read configuration is in force from now on; `changed` names keys. */
  | { readonly kind: "reload"; readonly policy: Policy; readonly changed: readonly string[] }
  /** Log the full state, believe the registry as it is, sweep now. */
  | { readonly kind: "inspect" };

export interface Control {
  /** Calls `onRequest` for each request. Returns what ends the subscription. */
  subscribe(onRequest: (request: ControlRequest) => void): () => void;
}
