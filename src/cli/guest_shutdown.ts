/**
 * `metald guest-shutdown`: what stopping a VM's unit runs, so that a guest shuts down by itself when its host does.
 *
 * The units of VMs call it by `ExecStop=`; nobody else need. systemd tells by `MAINPID` what to wait for, ends what is
 * left afterwards, and stops `metald.service` before:
 * https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
 *
 * Each request presses a key: the power button of ACPI (QEMU, Cloud Hypervisor), Ctrl-Alt-Del (Firecracker). Pressing
 * it more often is no matter of course, as some guests take a second press for force: systemd reboots at once after
 * eight Ctrl-Alt-Dels within two seconds, which is what requests come to that pile up at a VMM busy with a snapshot
 * (https://www.freedesktop.org/software/systemd/man/latest/systemd-system.conf.html, `CtrlAltDelBurstAction=`). So
 *
 * - a request may take all the time there is: one that timed out may be read later, and is not made again;
 * - a guest that was asked is asked again only if its VMM has just been started, since a guest that boots may not hear
 *   yet;
 * - a VMM that refused is asked again after pauses that grow;
 * - in all there are `REQUESTS_MAX` requests.
 * @module
 */

import type { Inspection } from "../ports/process_table.ts";
import type { ShutdownRequest, Vmm, VmmTarget } from "../ports/vmm.ts";
import { EXIT_CODE, type ExitCode } from "./exit_code.ts";
import type { Output } from "./output.ts";

export const REQUESTS_MAX = 5;
/** After the first refusal; each further pause is twice as long. */
const REFUSED_PAUSE_MS = 2_000;
/** A VMM younger than this may run a guest that boots. */
const BOOTING_MS = 120_000;
/** OpenStack's agents press again every 10 s, for the same reason. */
const BOOTING_PAUSE_MS = 30_000;
const POLL_MS = 50;

export interface GuestShutdownOptions {
  readonly target: VmmTarget;
  readonly timeoutMs: number;
  readonly vmm: Pick<Vmm, "shutdown">;
  /** The main process of the unit; undefined when there is none: it has ended by itself. */
  readonly main: UnitMain | undefined;
  /** Why the socket must not be taken for the unit's own; undefined when it is. */
  readonly whyNotServed: () => string | undefined;
  readonly output: Output;
}

export interface UnitMain {
  readonly ageMs: number;
  readonly inspect: () => Promise<Inspection>;
}

/** @returns 0 also when the guest does not shut down: that is for the service manager to end */
export async function shutDownGuest(options: GuestShutdownOptions): Promise<ExitCode> {
  const { target, timeoutMs, vmm, main, whyNotServed, output } = options;
  if (main === undefined) return EXIT_CODE.ok;
  const startedAt = performance.now();
  const until = startedAt + timeoutMs;
  for (let requests = 1; ; requests += 1) {
    const why = whyNotServed();
    if (why !== undefined) {
      output.complain(`the guest of ${target.id} is not asked to shut down: ${why}`);
      return EXIT_CODE.ok;
    }
    if (requests === 1) output.print(`asking the guest of ${target.id} to shut down\n`);
    const asked = await vmm.shutdown(target, Math.max(1, until - performance.now()));
    const pauseMs = requests < REQUESTS_MAX ? pauseAfter(asked, requests, main.ageMs) : Number.POSITIVE_INFINITY;
    if (await endsBefore(Math.min(until, performance.now() + pauseMs), main)) {
      output.print(`the guest of ${target.id} has shut down after ${Math.round(performance.now() - startedAt)} ms\n`);
      return EXIT_CODE.ok;
    }
    if (performance.now() < until) continue;
    const how = asked.kind === "asked" ? "it was asked and goes on" : asked.error;
    output.complain(`the guest of ${target.id} has not shut down within ${timeoutMs} ms: ${how}`);
    return EXIT_CODE.ok;
  }
}

/** How long to wait for the guest's end before the next request; infinite when there must be none. */
export function pauseAfter(asked: ShutdownRequest, requests: number, vmmAgeMs: number): number {
  if (asked.kind === "not_asked") return REFUSED_PAUSE_MS * 2 ** (requests - 1);
  return vmmAgeMs < BOOTING_MS ? BOOTING_PAUSE_MS : Number.POSITIVE_INFINITY;
}

async function endsBefore(until: number, main: UnitMain): Promise<boolean> {
  for (;;) {
    if ((await main.inspect()).kind === "dead") return true;
    const leftMs = until - performance.now();
    if (leftMs <= 0) return false;
    await new Promise((resolve) => setTimeout(resolve, Math.min(POLL_MS, leftMs)));
  }
}
