/**
 * Reads one HTTP/1.x response from bytes as they come, within limits.
 *
 * A parser of our own, as the question is stricter than a client library's: did nothing come, something incomplete, or
 * something wrong? The grammar is the part of RFC 9112 that a server may use in reply to a request without a body.
 * @module
 */

export interface HttpResponse {
  readonly kind: "response";
  readonly status: number;
  readonly body: string;
}

export interface MalformedResponse {
  readonly kind: "malformed";
  /** May hold foreign characters. */
  readonly error: string;
}

export type HttpReply = HttpResponse | MalformedResponse;

const HEAD_BYTES_MAX = 16 * 1024;
/** Far above any answer of a VMM, and small enough to be held by many probes at once. */
export const BODY_BYTES_MAX = 1024 * 1024;

/** Every piece may cost another look at those before it. A drip is no answer long before it is that many drops. */
const PIECES_MAX = 4096;

/** How the body ends. */
type Framing =
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "until_close" };

interface Head {
  readonly status: number;
  readonly framing: Framing;
  readonly headBytes: number;
}

export class HttpResponseReader {
  #pieces: Uint8Array[] = [];
  #pieceCount = 0;
  #receivedBytes = 0;
  #head: Head | undefined;

  /** @returns undefined while more bytes are needed */
  push(bytes: Uint8Array): HttpReply | undefined {
    if (++this.#pieceCount > PIECES_MAX) return { kind: "malformed", error: `more than ${PIECES_MAX} pieces` };
    this.#pieces.push(bytes);
    this.#receivedBytes += bytes.length;
    if (this.#head === undefined) {
      const head = readHead(this.#join());
      if (head === undefined || "kind" in head) return head;
      this.#head = head;
    }
    return this.#body(this.#head, false);
  }

  /** The peer has closed: the end of a body without a length. */
  end(): HttpReply | undefined {
    return this.#head === undefined ? undefined : this.#body(this.#head, true);
  }

  #body(head: Head, closed: boolean): HttpReply | undefined {
    const { status, framing, headBytes } = head;
    const bodyBytes = this.#receivedBytes - headBytes;
    // A chunked body carries its sizes with it; that much more is still an answer nobody asked for.
    if (bodyBytes > BODY_BYTES_MAX || (framing.kind === "length" && framing.bytes > BODY_BYTES_MAX)) {
      return { kind: "malformed", error: `a body of more than ${BODY_BYTES_MAX} bytes` };
    }
    switch (framing.kind) {
      case "length":
        if (bodyBytes < framing.bytes) return undefined;
        return { kind: "response", status, body: decode(this.#join().subarray(headBytes, headBytes + framing.bytes)) };
      case "until_close":
        return closed ? { kind: "response", status, body: decode(this.#join().subarray(headBytes)) } : undefined;
      case "chunked": {
        const body = readChunks(this.#join().subarray(headBytes));
        return typeof body === "string" ? { kind: "response", status, body } : body;
      }
    }
  }

  /** Joined once per piece at most, and a piece that only lengthens a body of known length is not joined at all. */
  #join(): Uint8Array {
    const [first] = this.#pieces;
    if (this.#pieces.length === 1 && first !== undefined) return first;
    const joined = Buffer.concat(this.#pieces);
    this.#pieces = [joined];
    return joined;
  }
}

/** @returns undefined while the head is incomplete; interim responses (1xx) are passed over */
function readHead(bytes: Uint8Array): Head | MalformedResponse | undefined {
  let start = 0;
  for (;;) {
    const window = latin1(bytes.subarray(start, start + HEAD_BYTES_MAX));
    // What cannot become a status line is refused at once rather than at the deadline.
    if (!"HTTP/1.".startsWith(window.slice(0, 7))) {
      return { kind: "malformed", error: `no HTTP response: ${window.slice(0, 80)}` };
    }
    const end = window.indexOf("\r\n\r\n");
    if (end < 0) {
      if (window.length < HEAD_BYTES_MAX) return undefined;
      return { kind: "malformed", error: `a response head of more than ${HEAD_BYTES_MAX} bytes` };
    }
    const [statusLine = "", ...headerLines] = window.slice(0, end).split("\r\n");
    const status = Number(/^HTTP\/1\.[01] ([1-5][0-9]{2})(?: |$)/.exec(statusLine)?.[1]);
    if (Number.isNaN(status)) return { kind: "malformed", error: `no HTTP status: ${statusLine}` };
    start += end + 4;
    if (status >= 200) {
      const framing = readFraming(status, headerLines);
      return framing.kind === "malformed" ? framing : { status, framing, headBytes: start };
    }
    if (start > HEAD_BYTES_MAX) return { kind: "malformed", error: "too many interim responses" };
  }
}

function readFraming(status: number, headerLines: readonly string[]): Framing | MalformedResponse {
  if (status === 204 || status === 304) return { kind: "length", bytes: 0 };
  const headers = new Map<string, string>();
  for (const line of headerLines) {
    const colon = line.indexOf(":");
    if (colon <= 0) return { kind: "malformed", error: `a header without a name: ${line}` };
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const coding = headers.get("transfer-encoding");
  if (coding !== undefined) {
    if (coding.toLowerCase() === "chunked") return { kind: "chunked" };
    return { kind: "malformed", error: `a transfer coding that was not asked for: ${coding}` };
  }
  const length = headers.get("content-length");
  if (length === undefined) return { kind: "until_close" };
  if (!/^[0-9]{1,15}$/.test(length)) return { kind: "malformed", error: `no content length: ${length}` };
  return { kind: "length", bytes: Number(length) };
}

/** @returns the body's text, or undefined while chunks are missing. Trailers are left unread. */
function readChunks(bytes: Uint8Array): string | MalformedResponse | undefined {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const line = latin1(bytes.subarray(at, at + 64));
    const end = line.indexOf("\r\n");
    if (end < 0) return line.length < 64 ? undefined : { kind: "malformed", error: `no chunk size: ${line}` };
    const digits = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/.exec(line.slice(0, end))?.[1];
    if (digits === undefined) return { kind: "malformed", error: `no chunk size: ${line.slice(0, end)}` };
    const size = Number.parseInt(digits, 16);
    if (size === 0) return decode(Buffer.concat(chunks));
    const data = at + end + 2;
    if (bytes.length < data + size + 2) return undefined;
    chunks.push(bytes.subarray(data, data + size));
    at = data + size + 2;
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
