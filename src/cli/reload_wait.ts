/**
 * `metald reload`: what `ExecReload=` of the service runs. Tells the agent to read its configuration again and waits for
 * what comes of it, so that `systemctl reload` fails when the file is rejected.
 * @module
 */

import { EXIT_CODE, type ExitCode } from "./exit_code.ts";
import type { Output } from "./output.ts";

const WAIT_MS = 20_000;
const POLL_MS = 20;

export interface ReloadWaitOptions {
  /** `MAINPID`, which systemd gives to what it runs for a service. */
  readonly mainPid: string | undefined;
  /** The last outcome that the agent published; its number rises. */
  readonly readOutcome: (
    pid: number,
  ) => { readonly number: number; readonly errors: readonly string[]; readonly changed: readonly string[] } | undefined;
  /** Sends SIGHUP, or nothing at all; throws when there is no such process. */
  readonly hangUp: (pid: number, signal: "SIGHUP" | 0) => void;
  readonly output: Output;
}

export async function reloadAndWait({ mainPid, readOutcome, hangUp, output }: ReloadWaitOptions): Promise<ExitCode> {
  const pid = Number(mainPid);
  if (!Number.isInteger(pid) || pid <= 1) {
    output.complain(
      `Cannot reload as MAINPID must name the agent, as in ExecReload=: current value is "${mainPid ?? ""}"`,
    );
    return EXIT_CODE.usage;
  }
  const before = readOutcome(pid)?.number ?? 0;
  const until = performance.now() + WAIT_MS;
  try {
    hangUp(pid, "SIGHUP");
    while (performance.now() < until) {
      const outcome = readOutcome(pid);
      if (outcome !== undefined && outcome.number > before) return say(outcome, output);
      hangUp(pid, 0);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    output.complain(`the agent has not reloaded its configuration within ${WAIT_MS / 1000} s`);
  } catch (error) {
    output.complain(`Cannot signal the agent, pid ${pid}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return EXIT_CODE.failed;
}

function say(
  { errors, changed }: { readonly errors: readonly string[]; readonly changed: readonly string[] },
  output: Output,
): ExitCode {
  for (const error of errors) output.complain(error);
  if (errors.length > 0) return EXIT_CODE.configuration;
  output.print(changed.length === 0 ? "nothing has changed\n" : `changed: ${changed.join(", ")}\n`);
  return EXIT_CODE.ok;
}
