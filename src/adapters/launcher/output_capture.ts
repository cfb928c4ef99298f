/**
 * Keeps the end of what a child process says, for one line of the log.
 *
 * The end, since programs name their error last. All of it is read, as a full pipe would stop the child.
 * @module
 */

import type { ChildProcessByStdio } from "node:child_process";
import type { Readable } from "node:stream";

const CAPTURED_BYTES_MAX = 2048;
const LINE_CHARACTERS_MAX = 512;

export interface OutputCapture {
  /** Waits for the end of the output, then lets go of it. */
  end(timeoutMs: number): Promise<void>;
  /** What was said last on both streams, as one line. */
  text(): string;
}

/** To be called in the turn in which the child was spawned. */
export function captureOutput(child: ChildProcessByStdio<null, Readable, Readable>): OutputCapture {
  let captured = Buffer.alloc(0);
  let closed = false;
  let wake = () => {};
  const keep = (chunk: Buffer) => {
    captured = Buffer.concat([captured, chunk]).subarray(-CAPTURED_BYTES_MAX);
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", keep);
    stream.on("error", () => {});
  }
  child.once("close", () => {
    closed = true;
    wake();
  });
  return {
    end: (timeoutMs) =>
      new Promise((resolve) => {
        const finish = () => {
          clearTimeout(timeout);
          child.stdout.destroy();
          child.stderr.destroy();
          resolve();
        };
        const timeout = setTimeout(finish, timeoutMs);
        wake = finish;
        if (closed) finish();
      }),
    text() {
      const line = captured
        .toString("utf8")
        .replace(/[\s\x00-\x1f\x7f]+/g, " ")
        .trim();
      return line.length > LINE_CHARACTERS_MAX ? `...${line.slice(-LINE_CHARACTERS_MAX)}` : line;
    },
  };
}
