/**
 * Writes lines to a stream without ever waiting for its reader.
 *
 * A stalled journal must not stall the agent, and a stream queues without bound what its reader does not take. So the bytes
 * under way are counted, lines beyond the cap are dropped, and how many is told as soon as something gets through again.
 * A reader that is gone (EPIPE) costs lines, not the agent.
 *
 * Under Bun a write to a pipe or a socket is asynchronous. Deno writes pipes synchronously, so there a reader that stops reading
 * stops the agent once the pipe is full.
 * @module
 */

export const QUEUED_BYTES_MAX = 1_048_576;

/** The part of a `node:stream` Writable that is used. */
export interface LineStream {
  write(text: string, callback: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
}

export interface LineWriterOptions {
  /** @default {QUEUED_BYTES_MAX} */
  readonly queuedBytesMax?: number;
  /** Called with the number of lines lost since the last call, once a later line was written. It may write lines. */
  readonly onDropped: (count: number) => void;
}

export interface LineWriter {
  /** @param line without its end */
  readonly write: (line: string) => void;
  /** Resolves when nothing is under way, or after `timeoutMs`. */
  readonly flush: (timeoutMs: number) => Promise<void>;
}

export function lineWriter(stream: LineStream, options: LineWriterOptions): LineWriter {
  const queuedBytesMax = options.queuedBytesMax ?? QUEUED_BYTES_MAX;
  const whenIdle = new Set<() => void>();
  let queuedBytes = 0;
  let droppedLines = 0;

  // Without a listener the stream's error would end the process; each write's callback gets the same error.
  stream.on("error", () => {});

  function write(line: string): void {
    const text = `${line}\n`;
    const bytes = Buffer.byteLength(text);
    if (queuedBytes + bytes > queuedBytesMax) {
      droppedLines++;
      return;
    }
    queuedBytes += bytes;
    stream.write(text, (error) => settle(bytes, error));
  }

  function settle(bytes: number, error: Error | null | undefined): void {
    queuedBytes -= bytes;
    if (error) droppedLines++;
    else if (droppedLines > 0 && queuedBytes < queuedBytesMax / 2) {
      const count = droppedLines;
      droppedLines = 0;
      options.onDropped(count);
    }
    if (queuedBytes > 0) return;
    for (const resolve of whenIdle) resolve();
  }

  function flush(timeoutMs: number): Promise<void> {
    if (queuedBytes === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        whenIdle.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      whenIdle.add(done);
    });
  }

  return { write, flush };
}
