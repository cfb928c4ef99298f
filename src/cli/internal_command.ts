/**
 * Commands that units of systemd run, and that people need not know: their arguments are written by metald itself.
 *
 * They are a contract between versions. The unit of a VM is written when the VM starts and lives for as long as the
 * VM; an upgrade puts a new binary in the place that the unit names. So each form that a released version ever wrote
 * is understood for ever, and so is what goes with it: `METALD_VM_ID` and `MAINPID` in the environment, exit code 0 of
 * `guest-shutdown` whatever the guest does. The forms are listed in `test/cli/internal_command_test.ts`. A new one is
 * added to them; none is changed or taken away.
 * @module
 */

import type { VmmKind } from "../domain/vm_record.ts";

export type InternalCommand =
  /** `ExecReload=` of the service. */
  | { readonly kind: "reload" }
  /** `ExecStop=` of a VM's unit. */
  | {
      readonly kind: "guest_shutdown";
      readonly vmm: Exclude<VmmKind, "process">;
      readonly socket: string;
      readonly timeoutMs: number;
    }
  /** The clean-up that the service's sandbox does not permit to the agent. */
  | { readonly kind: "remove_leftovers"; readonly paths: readonly string[] };

/** Undefined when it is none of them. */
export function parseInternalCommand(args: readonly string[]): InternalCommand | undefined {
  const [name, ...rest] = args;
  switch (name) {
    case "reload":
      return rest.length === 0 ? { kind: "reload" } : undefined;
    case "guest-shutdown":
      return guestShutdown(rest);
    case "remove-leftovers":
      return rest.length > 0 ? { kind: "remove_leftovers", paths: rest } : undefined;
    default:
      return undefined;
  }
}

/** `<vmm> <socket without its first slash> <ms>` */
function guestShutdown([vmm, socket, timeout, ...more]: readonly string[]): InternalCommand | undefined {
  const timeoutMs = Number(timeout);
  if (vmm !== "firecracker" && vmm !== "cloud-hypervisor" && vmm !== "qemu") return undefined;
  if (socket === undefined || more.length > 0 || !Number.isFinite(timeoutMs)) return undefined;
  return { kind: "guest_shutdown", vmm, socket: `/${socket}`, timeoutMs };
}
