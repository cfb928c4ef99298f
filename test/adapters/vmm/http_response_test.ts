import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BODY_BYTES_MAX, type HttpReply, HttpResponseReader } from "../../../src/adapters/vmm/http_response.ts";

type Row = readonly [title: string, message: string, reply: HttpReply | "incomplete" | "malformed"];

function response(status: number, body: string): HttpReply {
  return { kind: "response", status, body };
}

/** Each is fed whole, and again byte by byte. */
const OPEN_CONNECTION: readonly Row[] = [
  ["a body of the length named", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", response(200, "{}")],
  [
    "a status without a reason, as Firecracker has it",
    "HTTP/1.1 200 \r\ncontent-length:2\r\n\r\n{}",
    response(200, "{}"),
  ],
  ["a status alone", "HTTP/1.1 204\r\n\r\n", response(204, "")],
  ["an error's body", "HTTP/1.0 503 No\r\nContent-Length: 1\r\n\r\nx", response(503, "x")],
  ["UTF-8", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\u00e9", response(200, "\u00e9")],
  ["an interim response before it", "HTTP/1.1 100 \r\n\r\nHTTP/1.1 204 \r\n\r\n", response(204, "")],
  [
    "chunks, with extensions",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\nA\r\n0123456789\r\n0\r\n\r\n",
    response(200, "ab0123456789"),
  ],
  ["half a status line", "HTTP/1.1 20", "incomplete"],
  ["no end of the headers", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "incomplete"],
  ["too short a body", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", "incomplete"],
  ["no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", "incomplete"],
  ["a body whose end is the connection's", "HTTP/1.1 200 OK\r\n\r\n{}", "incomplete"],
  ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n", "malformed"],
  ["binary bytes", "\u0000\u0001\u0002", "malformed"],
  ["HTTP of another age", "HTTP/2 200\r\n\r\n", "malformed"],
  ["no number for a status", "HTTP/1.1 abc\r\n\r\n", "malformed"],
  ["a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "malformed"],
  ["a length beyond the limit", `HTTP/1.1 200 OK\r\nContent-Length: ${BODY_BYTES_MAX + 1}\r\n\r\n`, "malformed"],
  ["a header without a name", "HTTP/1.1 200 OK\r\n: x\r\n\r\n", "malformed"],
  ["a coding not asked for", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "malformed"],
  ["a chunk without a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "malformed"],
  ["headers without end", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(20_000)}`, "malformed"],
];

function read(message: string, pieceBytes: number): HttpReply | undefined {
  const bytes = Buffer.from(message);
  const reader = new HttpResponseReader();
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const reply = reader.push(bytes.subarray(at, at + pieceBytes));
    if (reply !== undefined) return reply;
  }
  return undefined;
}

function expectReply(reply: HttpReply | undefined, expected: Row[2]): void {
  if (expected === "incomplete") assert.equal(reply, undefined);
  else if (expected === "malformed") assert.equal(reply?.kind, "malformed");
  else assert.deepEqual(reply, expected);
}

describe("HttpResponseReader", () => {
  for (const [title, message, expected] of OPEN_CONNECTION) {
    it(`push() takes a response with ${title}, in pieces of any size`, () => {
      expectReply(read(message, message.length), expected);
      expectReply(read(message, 1), expected);
    });
  }

  it("end() completes a body without a length", () => {
    const reader = new HttpResponseReader();
    assert.equal(reader.push(Buffer.from("HTTP/1.1 200 OK\r\n\r\n{}")), undefined);
    assert.deepEqual(reader.end(), response(200, "{}"));
  });

  it("end() completes nothing that names a greater length", () => {
    const reader = new HttpResponseReader();
    assert.equal(reader.push(Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}")), undefined);
    assert.equal(reader.end(), undefined);
  });

  it("push() refuses a body without a length at its limit, having kept no more than that", () => {
    const reader = new HttpResponseReader();
    reader.push(Buffer.from("HTTP/1.1 200 OK\r\n\r\n"));
    const piece = Buffer.alloc(64 * 1024);
    let pieces = 0;
    while (reader.push(piece) === undefined) pieces++;
    assert.equal(pieces, BODY_BYTES_MAX / piece.length);
  });

  it("push() refuses a chunked body that drips, as each drop costs another look at all of it", () => {
    const reader = new HttpResponseReader();
    reader.push(Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFF\r\n"));
    let drops = 0;
    while (reader.push(Buffer.from("x")) === undefined) drops++;
    assert.equal(drops, 4095);
  });
});
