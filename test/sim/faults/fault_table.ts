/**
 * Every fault that a seed can draw.
 * @module
 */

import { HOST_FAULTS } from "./host_faults.ts";
import { INTENT_FAULTS } from "./intent_faults.ts";
import { VM_FAULTS } from "./vm_faults.ts";

export const FAULTS = { ...VM_FAULTS, ...INTENT_FAULTS, ...HOST_FAULTS } as const;

export type FaultName = keyof typeof FAULTS;
