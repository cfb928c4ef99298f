/**
 * Shares scans of the process table: whoever asks gets one that began after the question, and those who ask while one is under way
 * share the next.
 * @module
 */

import type { ProcessScan, ProcessTable } from "../ports/process_table.ts";

export class Scanner {
  readonly #processTable: ProcessTable;
  #running: Promise<ProcessScan> | undefined;
  #next: Promise<ProcessScan> | undefined;

  constructor(processTable: ProcessTable) {
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
    const scan = this.#processTable.scan();
    this.#running = scan;
    const end = () => {
      if (this.#running === scan) this.#running = undefined;
    };
    scan.then(end, end);
    return scan;
  }
}
