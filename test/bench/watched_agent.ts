/**
 * The built agent, started as a service manager would, with the instant at which each of its lines arrived.
 *
 * Lines are kept as they came and read later, since what is parsed while the agent works takes its processor from it.
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import process from "node:process";
import { readLogfmt } from "../observability/logfmt_reader.ts";
import { ROOT } from "../tool/root.ts";

export interface SeenLine {
  readonly fields: ReadonlyMap<string, string>;
  /** `performance.now()` when it arrived. */
  readonly atMs: number;
}

/** Another build of it can be named, to be measured beside this one. */
const BINARY = process.env["BENCH_BINARY"] ?? join(ROOT, "dist/metald");
const LINE_DEADLINE_MS = 180_000;

interface Chunk {
  readonly text: string;
  readonly atMs: number;
}

export class WatchedAgent {
  readonly startedAtMs: number;
  readonly #child: ChildProcess;
  readonly #chunks: Chunk[] = [];
  readonly #lines: SeenLine[] = [];
  readonly #exit: Promise<unknown>;
  #rest = "";
  #onChunk: () => void = () => undefined;

  constructor(configPath: string) {
    this.startedAtMs = performance.now();
    const child = spawn(BINARY, ["run", "--config", configPath], {
      cwd: "/",
      env: { PATH: "/usr/bin:/bin" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#child = child;
    this.#exit = once(child, "exit");
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#chunks.push({ text, atMs: performance.now() });
      this.#onChunk();
    });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`Cannot start the agent as it must be built: current value is no ${BINARY}`);
    return pid;
  }

  /** All lines with this message so far. */
  lines(msg: string): readonly SeenLine[] {
    this.#parse();
    return this.#lines.filter(({ fields }) => fields.get("msg") === msg);
  }

  /** Resolves when there are `count` lines with this message. @throws {Error} when they do not come in time */
  async waitForLines(msg: string, count: number): Promise<readonly SeenLine[]> {
    const deadlineAt = performance.now() + LINE_DEADLINE_MS;
    for (;;) {
      if (this.#chunks.some(({ text }) => text.includes(msg))) this.#parse();
      const lines = this.#lines.filter(({ fields }) => fields.get("msg") === msg);
      if (lines.length >= count) return lines;
      if (this.#child.exitCode !== null) throw new Error(`the agent ended by itself: ${this.#child.exitCode}`);
      if (performance.now() > deadlineAt) throw new Error(`${lines.length} of ${count} lines came: ${msg}`);
      await this.#nextChunk();
    }
  }

  /** Resolves with the instant at which the next text of the agent arrives that holds all `words`. */
  async waitForText(words: readonly string[]): Promise<number> {
    const from = this.#chunks.length;
    for (;;) {
      const found = this.#chunks.slice(from).find(({ text }) => words.every((word) => text.includes(word)));
      if (found !== undefined) return found.atMs;
      await this.#nextChunk();
    }
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#child.kill(signal);
    await this.#exit;
  }

  endNow(): void {
    this.#child.kill("SIGKILL");
  }

  #nextChunk(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 1_000);
      this.#onChunk = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #parse(): void {
    for (const { text, atMs } of this.#chunks.splice(0)) {
      const pieces = (this.#rest + text).split("\n");
      this.#rest = pieces.pop() ?? "";
      for (const piece of pieces) this.#lines.push({ fields: new Map(readLogfmt(piece)), atMs });
    }
  }
}
