/**
 * One VM as the simulated world knows it: what is true of it beside its record, and what its next start will be like.
 * @module
 */

import type { VmmKind } from "../../src/domain/vm_record.ts";

export interface SimVm {
  readonly id: string;
  readonly kind: VmmKind;
  readonly socket: string | undefined;
  readonly diskPath: string;
  /** The address of its guest, where its record has a tcp probe. */
  readonly tcpHost: string;
  /** Whether a wrapper of root starts the VMM, and whether the VMM has a process beside it. */
  readonly hasWrapper: boolean;
  readonly hasHelper: boolean;
  /** Nothing gets through to the guest, which knows nothing of it. */
  isTcpDown: boolean;
  /** How long the guests of the next starts take to boot; undefined: as usual. */
  slowBootMs: number | undefined;
  /** So many next launches are refused, and so many next VMMs exit at once. */
  launchesToRefuse: number;
  earlyExits: number;
  /** The next launch times out; its job lands so much later, or never. */
  lateLaunch: { readonly landsAfterMs: number | undefined } | undefined;
  hooksFail: boolean;
  isDiskUnavailable: boolean;
  /** A guest of it once went to another host. */
  hasMigrated: boolean;
}

export interface VmTraits {
  readonly id: string;
  readonly index: number;
  readonly kind: VmmKind;
  readonly hasWrapper: boolean;
  readonly hasHelper: boolean;
}

export function simVm(traits: VmTraits): SimVm {
  return {
    id: traits.id,
    kind: traits.kind,
    socket: traits.kind === "process" ? undefined : `/run/vms/${traits.id}.sock`,
    diskPath: `/srv/vms/${traits.id}.img`,
    tcpHost: `10.0.0.${traits.index + 2}`,
    hasWrapper: traits.hasWrapper,
    hasHelper: traits.hasHelper,
    isTcpDown: false,
    slowBootMs: undefined,
    launchesToRefuse: 0,
    earlyExits: 0,
    lateLaunch: undefined,
    hooksFail: false,
    isDiskUnavailable: false,
    hasMigrated: false,
  };
}
