/**
 * `metald guest-shutdown`: what stopping a VM's unit runs, so that a guest shuts down by itself when its host does.
 *
 * The units of VMs call it by `ExecStop=`; nobody else need. systemd tells by `MAINPID` what to wait for, ends what is left
 * afterwards, and stops `metald.service` before: https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
 * @module
 */

import type { Inspection } from "../ports/process_table.ts";
import type { Vmm, VmmTarget } from "../ports/vmm.ts";
import { EXIT_CODE, type ExitCode } from "./exit_code.ts";
import type { Output } from "./output.ts";

const QUESTION_TIMEOUT_MS = 5_000;
/** A VMM that did not take the request may take it a little later. */
const ASK_AGAIN_MS = 2_000;
const POLL_MS = 50;

export interface GuestShutdownOptions {
  readonly target: VmmTarget;
  readonly timeoutMs: number;
  readonly vmm: Pick<Vmm, "shutdown">;
  /** How the main process of the unit is; undefined when there is none: it has ended by itself. */
  readonly inspectMain: (() => Promise<Inspection>) | undefined;
  readonly output: Output;
}

/** @returns 0 also when the guest does not shut down: that is for the service manager to end */
export async function shutDownGuest(options: GuestShutdownOptions): Promise<ExitCode> {
  const { target, timeoutMs, vmm, inspectMain, output } = options;
  if (inspectMain === undefined) return EXIT_CODE.ok;
  const startedAt = performance.now();
  const until = startedAt + timeoutMs;
  output.print(`asking the guest of ${target.id} to shut down\n`);
  for (;;) {
    const asked = await vmm.shutdown(target, QUESTION_TIMEOUT_MS);
    const askAgainAt = asked.kind === "asked" ? until : Math.min(until, performance.now() + ASK_AGAIN_MS);
    if (await endsBefore(askAgainAt, inspectMain)) {
      output.print(`the guest of ${target.id} has shut down after ${Math.round(performance.now() - startedAt)} ms\n`);
      return EXIT_CODE.ok;
    }
    if (performance.now() < until) continue;
    const why = asked.kind === "asked" ? "it was asked and goes on" : asked.error;
    output.complain(`the guest of ${target.id} has not shut down within ${timeoutMs} ms: ${why}`);
    return EXIT_CODE.ok;
  }
}

async function endsBefore(until: number, inspectMain: () => Promise<Inspection>): Promise<boolean> {
  for (;;) {
    if ((await inspectMain()).kind === "dead") return true;
    const leftMs = until - performance.now();
    if (leftMs <= 0) return false;
    await new Promise((resolve) => setTimeout(resolve, Math.min(POLL_MS, leftMs)));
  }
}
