/**
 * The compiled agent in the foreground: its lines are shown as they come, and can be waited for.
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { readLogfmt } from "../observability/logfmt_reader.ts";

export interface SeenLine {
  readonly fields: ReadonlyMap<string, string>;
  /** `performance.now()` when it arrived. */
  readonly seenAtMs: number;
}

export class Agent {
  readonly #child: ChildProcess;
  readonly #lines: SeenLine[] = [];
  readonly #exit: Promise<string>;
  readonly #waiting = new Set<() => void>();
  #exited: string | undefined;

  constructor(binary: string, configPath: string, show: (line: string) => void) {
    const child = spawn(binary, ["run", "--config", configPath], { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    createInterface({ input: child.stdout }).on("line", (line) => {
      show(line);
      this.#lines.push({ fields: new Map(readLogfmt(line)), seenAtMs: performance.now() });
      this.#wake();
    });
    this.#exit = new Promise((resolve) => {
      const exited = (how: string) => {
        this.#exited = how;
        this.#wake();
        resolve(how);
      };
      child.once("error", (error) => exited(error.message));
      child.once("exit", (code, signal) => exited(signal === null ? `exit code ${code}` : signal));
    });
  }

  /**
   * The first line with this message and VM, now or later.
   *
   * @throws {Error} when the agent ends first
   * @throws the signal's reason when it is aborted
   */
  async line(msg: string, vmId: string, signal: AbortSignal): Promise<SeenLine> {
    for (;;) {
      const found = this.#lines.find(({ fields }) => fields.get("msg") === msg && fields.get("vm_id") === vmId);
      if (found !== undefined) return found;
      if (this.#exited !== undefined) throw new Error(`the agent ended by itself: ${this.#exited}`);
      await this.#change(signal);
    }
  }

  /** Undefined: it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Asks it to stop, and ends it when it has not after `timeoutMs`. @returns how it ended */
  async stop(timeoutMs: number): Promise<string> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), timeoutMs);
    const how = await this.#exit;
    clearTimeout(timer);
    return how;
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const changed = () => {
        signal.removeEventListener("abort", aborted);
        resolve();
      };
      const aborted = () => {
        this.#waiting.delete(changed);
        reject(signal.reason);
      };
      this.#waiting.add(changed);
      signal.addEventListener("abort", aborted, { once: true });
    });
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const changed of waiting) changed();
  }
}
