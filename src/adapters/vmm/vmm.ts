/**
 * The VMMs that the agent can ask, each by its own API.
 * @module
 */

import { unreachable } from "../../domain/unreachable.ts";
import type { ShutdownRequest, Vmm, VmmAnswer, VmmTarget } from "../../ports/vmm.ts";
import { queryCloudHypervisor, shutdownCloudHypervisor } from "./cloud_hypervisor.ts";
import { queryFirecracker, shutdownFirecracker } from "./firecracker.ts";
import { queryQemu, shutdownQemu } from "./qemu.ts";
import { socketState } from "./socket_state.ts";

export function createVmm(): Vmm {
  return { query, shutdown, socketState };
}

function query({ vmm, socket }: VmmTarget, timeoutMs: number): Promise<VmmAnswer> {
  switch (vmm) {
    case "firecracker":
      return queryFirecracker(socket, timeoutMs);
    case "cloud-hypervisor":
      return queryCloudHypervisor(socket, timeoutMs);
    case "qemu":
      return queryQemu(socket, timeoutMs);
    default:
      return unreachable(vmm);
  }
}

function shutdown({ vmm, socket }: VmmTarget, timeoutMs: number): Promise<ShutdownRequest> {
  switch (vmm) {
    case "firecracker":
      return shutdownFirecracker(socket, timeoutMs);
    case "cloud-hypervisor":
      return shutdownCloudHypervisor(socket, timeoutMs);
    case "qemu":
      return shutdownQemu(socket, timeoutMs);
    default:
      return unreachable(vmm);
  }
}
