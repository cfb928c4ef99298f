/**
 * The real agent in a process of its own, watched by what an operator would watch: its log.
 *
 * A test that runs under Deno runs the agent under Deno. Under Bun it is the compiled binary where that is newer than
 * every source, else the sources.
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LogLine, parseLogfmt } from "./logfmt_line.ts";
import { waitFor } from "./wait.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BINARY = join(ROOT, "dist/metald");
const MAIN = join(ROOT, "src/main.ts");

export interface Agent {
  readonly pid: number;
  /** The lines so far, oldest first. */
  lines(): readonly LogLine[];
  /** All that it wrote, for a failing test's message. */
  text(): string;
  /** Those whose fields equal `fields`. */
  linesWith(fields: LogLine): readonly LogLine[];
  /** Resolves with the first such line, once it is there. */
  waitForLine(fields: LogLine): Promise<LogLine>;
  /** Resolves with its exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  /** Sends a signal and waits for its end. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<number | string>;
}

export function agentCommand(): readonly [string, ...string[]] {
  if ("Deno" in globalThis) return [process.execPath, "run", "-A", MAIN];
  return binaryIsFresh() ? [BINARY] : [process.execPath, MAIN];
}

/** Starts `metald run` and does not wait for anything. */
export function startAgent(configPath: string): Agent {
  const [program, ...args] = agentCommand();
  // In a process group of its own: what ends the test's terminal ends no agent half-way.
  const child = spawn(program, [...args, "run", "--config", configPath], {
    cwd: "/",
    env: environment(),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`Cannot start the agent as there is no such program: ${program}`);
  let text = "";
  let rest = "";
  const lines: LogLine[] = [];
  child.stdout.on("data", (bytes: Buffer) => {
    text += bytes.toString();
    const pieces = (rest + bytes.toString()).split("\n");
    rest = pieces.pop() ?? "";
    for (const piece of pieces) {
      const line = parseLogfmt(piece);
      if (line !== undefined) lines.push(line);
    }
  });
  child.stderr.on("data", (bytes: Buffer) => {
    text += bytes.toString();
  });
  let ended = false;
  const exited = exitOf(child).finally(() => {
    ended = true;
  });
  const linesWith = (fields: LogLine): readonly LogLine[] =>
    lines.filter((line) => Object.entries(fields).every(([key, value]) => line[key] === value));
  return {
    pid,
    lines: () => lines,
    text: () => text,
    linesWith,
    waitForLine: (fields) =>
      waitFor(
        `the agent says ${JSON.stringify(fields)}`,
        () => {
          const [line] = linesWith(fields);
          if (line === undefined && ended)
            throw new Error(`Cannot go on as the agent has ended:\n${text.slice(-8000)}`);
          return line;
        },
        () => text.slice(-8000),
      ),
    exited,
    end: (signal) => {
      // Not child.kill(): Deno then reports the signal as the end, whatever the program made of it.
      process.kill(pid, signal);
      return exited;
    },
  };
}

/** Ours, without what a service manager, an operator or a workplace with a collector says to an agent. */
function environment(): NodeJS.ProcessEnv {
  const isOurs = (name: string) => !/^(?:OTEL_.*|JOURNAL_STREAM|NOTIFY_SOCKET|METALD_CONFIG)$/.test(name);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => isOurs(name)));
}

async function exitOf(child: ChildProcess): Promise<number | string> {
  const [code, signal] = await once(child, "exit");
  return code ?? signal;
}

function binaryIsFresh(): boolean {
  const built = statSync(BINARY, { throwIfNoEntry: false });
  if (built === undefined) return false;
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  return sources.every((path) => statSync(join(ROOT, "src", path)).mtimeMs <= built.mtimeMs);
}

/** When the agent wrote a line, in milliseconds after `wallMs`. */
export function writtenAfter(line: LogLine, wallMs: number): number {
  return Date.parse(line["time"] ?? "") - wallMs;
}
