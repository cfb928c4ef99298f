import assert from "node:assert/strict";
import { test } from "node:test";
import { type LineStream, lineWriter } from "../../src/observability/line_writer.ts";

/** A reader that takes nothing until it is told to. */
class StalledStream implements LineStream {
  readonly taken: string[] = [];
  readonly #waiting: { text: string; callback: (error?: Error | null) => void }[] = [];

  write(text: string, callback: (error?: Error | null) => void): boolean {
    this.#waiting.push({ text, callback });
    return false;
  }

  on(): void {}

  take(): void {
    for (const { text, callback } of this.#waiting.splice(0)) {
      this.taken.push(text);
      callback();
    }
  }

  fail(): void {
    for (const { callback } of this.#waiting.splice(0)) callback(new Error("EPIPE"));
  }
}

test("lineWriter() drops lines beyond the cap and tells their number once the reader is back", () => {
  const stream = new StalledStream();
  const dropped: number[] = [];
  const writer = lineWriter(stream, { queuedBytesMax: 20, onDropped: (count) => dropped.push(count) });
  for (const line of ["aaaaaaaaa", "bbbbbbbbb", "c", "d"]) writer.write(line);
  assert.deepEqual(dropped, []);
  stream.take();
  assert.deepEqual(stream.taken, ["aaaaaaaaa\n", "bbbbbbbbb\n"]);
  assert.deepEqual(dropped, [2]);
  writer.write("e");
  stream.take();
  assert.deepEqual(stream.taken.at(-1), "e\n");
  assert.deepEqual(dropped, [2]);
});

test("lineWriter() counts bytes rather than characters, as bytes are what fills memory", () => {
  const stream = new StalledStream();
  const writer = lineWriter(stream, { queuedBytesMax: 5, onDropped: () => {} });
  writer.write("ééé");
  stream.take();
  assert.deepEqual(stream.taken, []);
});

test("lineWriter() may be written to from onDropped, which is how the loss gets into the log", () => {
  const stream = new StalledStream();
  const writer = lineWriter(stream, { queuedBytesMax: 4, onDropped: (count) => writer.write(`-${count}`) });
  writer.write("a");
  writer.write("too long");
  stream.take();
  stream.take();
  assert.deepEqual(stream.taken, ["a\n", "-1\n"]);
});

test("lineWriter() says nothing while every write fails, because that would only fail again", () => {
  const stream = new StalledStream();
  const dropped: number[] = [];
  const writer = lineWriter(stream, { onDropped: (count) => dropped.push(count) });
  writer.write("a");
  stream.fail();
  writer.write("b");
  stream.fail();
  assert.deepEqual(dropped, []);
  writer.write("c");
  stream.take();
  assert.deepEqual(dropped, [2]);
});

test("flush() resolves when all is written, and by its deadline when the reader is stalled", async () => {
  const stream = new StalledStream();
  const writer = lineWriter(stream, { onDropped: () => {} });
  await writer.flush(60_000);
  writer.write("a");
  await writer.flush(1);
  let flushed = false;
  const flushing = writer.flush(60_000).then(() => {
    flushed = true;
  });
  assert.equal(flushed, false);
  stream.take();
  await flushing;
  assert.equal(flushed, true);
});
