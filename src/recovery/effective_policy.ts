/**
 * The policy for one VM: the host's, with what the VM's record overrides.
 * @module
 */

import type { HealthPolicy, Policy } from "../domain/policy.ts";
import type { VmRecord, VmRecoveryPolicy } from "../domain/vm_record.ts";

export interface EffectivePolicy {
  readonly health: HealthPolicy;
  readonly recovery: VmRecoveryPolicy;
}

export function effectivePolicy(policy: Policy, record: VmRecord): EffectivePolicy {
  return {
    health: { ...policy.health, ...record.healthCheck },
    recovery: { ...policy.recovery, ...record.recovery },
  };
}
