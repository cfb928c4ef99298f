/**
 * Shares scans of the process table: whoever asks gets one that began after the question, and those who ask while one is under way
 * share the next.
 * @module
 */

import { TIMED_OUT, withDeadline } from "../async/deadline.ts";
import type { Clock } from "../ports/clock.ts";
import type { ProcessScan, ProcessTable } from "../ports/process_table.ts";

const SCAN_TIMEOUT_MS = 30_000;

export class Scanner {
  readonly #clock: Clock;
  readonly #processTable: ProcessTable;
  #running: Promise<ProcessScan> | undefined;
  #next: Promise<ProcessScan> | undefined;

  constructor(clock: Clock, processTable: ProcessTable) {
    this.#clock = clock;
    this.#processTable = processTable;
  }

  scan(): Promise<ProcessScan> {
    if (this.#running === undefined) return this.#begin();
    this.#next ??= this.#running.then(
      () => this.#begin(),
      () => this.#begin(),
    );
    return this.#next;
  }

  #begin(): Promise<ProcessScan> {
    this.#next = undefined;
    const scan = withDeadline(this.#clock, SCAN_TIMEOUT_MS, this.#processTable.scan()).then(
      (outcome): ProcessScan =>
        outcome === TIMED_OUT ? { kind: "unknown", error: "the process table did not answer in time" } : outcome,
    );
    this.#running = scan;
    const end = () => {
      if (this.#running === scan) this.#running = undefined;
    };
    scan.then(end, end);
    return scan;
  }
}
