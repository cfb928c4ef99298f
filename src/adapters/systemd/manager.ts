/**
 * Questions and orders to the service manager, through `systemctl` and `systemd-run`.
 *
 * As root they talk to PID 1 itself, so no message bus need run. Each call is a process of some 10 ms and has a deadline,
 * since a manager that reloads or hangs answers nobody; and few run at once, since 1,000 VMs may die together. What is
 * asked while an earlier question is under way is asked in one call.
 * @module
 */

import { BoundedPool } from "../../async/bounded_pool.ts";
import { type BriefEnd, runBriefly } from "../process/brief_program.ts";
import { parseUnitStates, UNIT_PROPERTIES, type UnitState } from "./unit_state.ts";

const QUESTION_TIMEOUT_MS = 5_000;
const CALLS_MAX = 8;
/** What lasts as long as a guest's shutdown or a hook must not keep a question waiting. */
const WAITS_MAX = 32;
const UNITS_PER_CALL_MAX = 64;
const OUTPUT_BYTES_MAX = 256 * 1024;

export type UnitReading =
  | { readonly kind: "state"; readonly state: UnitState }
  | { readonly kind: "unknown"; readonly error: string };

export interface ServiceManager {
  show(unit: string): Promise<UnitReading>;
  /** Runs `systemctl`. */
  order(args: readonly string[], timeoutMs: number): Promise<BriefEnd>;
  /** Stops a unit and waits for its end, as far as the time allows. */
  stop(unit: string, timeoutMs: number): Promise<BriefEnd>;
  /** Runs `systemd-run`, which comes back once the unit has started. */
  runTransient(args: readonly string[], timeoutMs: number): Promise<BriefEnd>;
  /** The same for a unit of `Type=oneshot`, which has started when its program has ended. */
  runToEnd(args: readonly string[], timeoutMs: number): Promise<BriefEnd>;
}

export interface ServiceManagerOptions {
  /** @default "systemctl" */
  readonly systemctl?: string;
  /** @default "systemd-run" */
  readonly systemdRun?: string;
}

export function createServiceManager(options: ServiceManagerOptions = {}): ServiceManager {
  const { systemctl = "systemctl", systemdRun = "systemd-run" } = options;
  const calls = new BoundedPool(CALLS_MAX);
  const waits = new BoundedPool(WAITS_MAX);
  const call = (program: string, args: readonly string[], timeoutMs: number) =>
    calls.run(() => runOrFail(program, args, timeoutMs));
  const wait = (program: string, args: readonly string[], timeoutMs: number) =>
    waits.run(() => runOrFail(program, args, timeoutMs));
  return {
    show: createUnitReader((units) =>
      call(systemctl, ["show", `--property=${UNIT_PROPERTIES.join(",")}`, "--", ...units], QUESTION_TIMEOUT_MS),
    ),
    order: (args, timeoutMs) => call(systemctl, ["--no-ask-password", ...args], timeoutMs),
    stop: (unit, timeoutMs) => wait(systemctl, ["--no-ask-password", "stop", "--", unit], timeoutMs),
    runTransient: (args, timeoutMs) => call(systemdRun, ["--no-ask-password", "--quiet", ...args], timeoutMs),
    runToEnd: (args, timeoutMs) => wait(systemdRun, ["--no-ask-password", "--quiet", ...args], timeoutMs),
  };
}

/** A command line that the kernel does not take makes some runtimes throw instead of telling the child's listener. */
async function runOrFail(program: string, args: readonly string[], timeoutMs: number): Promise<BriefEnd> {
  try {
    return await runBriefly(program, args, timeoutMs, OUTPUT_BYTES_MAX);
  } catch (error) {
    return {
      kind: "failed",
      error: `Cannot run ${program}: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

interface Question {
  readonly unit: string;
  readonly answer: (reading: UnitReading) => void;
}

/** One call at a time, and in it all that was asked since the one before began: an answer is never older than its question. */
export function createUnitReader(
  show: (units: readonly string[]) => Promise<BriefEnd>,
): (unit: string) => Promise<UnitReading> {
  let waiting: Question[] = [];
  let asking = false;

  async function askAll(): Promise<void> {
    if (asking) return;
    asking = true;
    while (waiting.length > 0) {
      const asked = waiting.slice(0, UNITS_PER_CALL_MAX);
      waiting = waiting.slice(UNITS_PER_CALL_MAX);
      await ask(asked);
    }
    asking = false;
  }

  async function ask(questions: readonly Question[]): Promise<void> {
    const readings = readingsOf(await show(questions.map(({ unit }) => unit)), questions.length);
    // One name that systemd does not take spoils the answers to all.
    if (readings.kind === "unknown" && questions.length > 1 && readings.answered) {
      for (const question of questions) await ask([question]);
      return;
    }
    for (const [index, { answer }] of questions.entries()) {
      const state = readings.kind === "states" ? readings.states[index] : undefined;
      if (state !== undefined) answer({ kind: "state", state });
      else answer({ kind: "unknown", error: readings.kind === "unknown" ? readings.error : "no answer for this unit" });
    }
  }

  return (unit) =>
    new Promise((resolve) => {
      waiting.push({ unit, answer: resolve });
      // After this turn, in which more may be asked.
      queueMicrotask(() => void askAll());
    });
}

type Readings =
  | { readonly kind: "states"; readonly states: readonly UnitState[] }
  | { readonly kind: "unknown"; readonly error: string; readonly answered: boolean };

function readingsOf(end: BriefEnd, count: number): Readings {
  if (end.kind !== "ended") return { kind: "unknown", error: endText(end), answered: false };
  const states = end.code === 0 ? parseUnitStates(end.stdout) : undefined;
  if (states !== undefined && states.length === count) return { kind: "states", states };
  return { kind: "unknown", error: `Cannot read the state of a unit: ${endText(end)}`, answered: true };
}

/** What came of a call, in one line. */
export function endText(end: BriefEnd): string {
  if (end.kind === "failed") return end.error;
  if (end.kind === "timed_out") return "the service manager did not answer in time";
  const said = end.stderr.replace(/\s+/g, " ").trim().slice(0, 512);
  return said === "" ? `exit code ${end.code ?? "unknown"}` : said;
}
