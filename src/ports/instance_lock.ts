/**
 * One agent per registry.
 * @module
 */

export type LockOutcome =
  /** Held until `release` or the death of the agent, whichever is first. VMs do not inherit it. */
  | {
      readonly kind: "acquired";
      readonly release: () => void;
      /** False: whoever comes now may get it as well, as what it is held by was taken away. */
      readonly isHeld: () => boolean;
    }
  | { readonly kind: "held_by_another"; readonly detail: string }
  | { readonly kind: "unavailable"; readonly error: string };

export interface InstanceLock {
  acquire(): Promise<LockOutcome>;
}
