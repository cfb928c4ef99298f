/**
 * A collector for tests: takes OTLP over HTTP, keeps what it was sent, and misbehaves on demand.
 * @module
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { gunzipSync } from "node:zlib";

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** Uncompressed. */
  readonly text: string;
  readonly json: unknown;
}

export type Behaviour =
  | {
      readonly kind: "answers";
      readonly status: number;
      readonly body: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Reads the request and never says a word. */
  | { readonly kind: "black_hole" }
  /** One byte of an endless answer every few milliseconds. */
  | { readonly kind: "drips" }
  /** An answer without end, as fast as it is taken. */
  | { readonly kind: "floods" }
  /** Closes the connection instead of answering. */
  | { readonly kind: "hangs_up" };

/** A collector that stands for hours keeps no more. */
const RECEIVED_MAX = 1_000;

export const ACCEPTS: Behaviour = { kind: "answers", status: 200, body: "{}" };

export interface Collector {
  readonly url: string;
  /** The last of them, at most `RECEIVED_MAX`. */
  readonly received: readonly ReceivedRequest[];
  /** From the next request on; with a list, one for each request and the last for all that follow. */
  behave(...behaviours: readonly Behaviour[]): void;
}

export interface TlsFiles {
  readonly key: string;
  readonly cert: string;
  /** Demands a client certificate of this authority. */
  readonly ca: string;
}

/** Runs `body` beside a collector on a port of its own, and ends it with all its connections. */
export async function withCollector(body: (collector: Collector) => Promise<void>, tls?: TlsFiles): Promise<void> {
  const received: ReceivedRequest[] = [];
  const sockets = new Set<Socket>();
  const timers = new Set<ReturnType<typeof setInterval>>();
  let behaviours: Behaviour[] = [ACCEPTS];

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => undefined);
    request.on("end", () => {
      const bytes = Buffer.concat(chunks);
      const isGzip = request.headers["content-encoding"] === "gzip";
      const text = (isGzip ? gunzipSync(bytes) : bytes).toString("utf8");
      const { method = "", url = "", headers } = request;
      received.push({ method, path: url, headers, text, json: JSON.parse(text) });
      if (received.length > RECEIVED_MAX) received.shift();
      const [behaviour = ACCEPTS] = behaviours;
      if (behaviours.length > 1) behaviours = behaviours.slice(1);
      carryOut(behaviour, response, timers);
    });
  };
  const server: Server =
    tls === undefined
      ? createServer(handle)
      : createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, handle);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot go on as the server has no port");
  try {
    await body({
      url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${address.port}`,
      received,
      behave: (...next) => {
        behaviours = [...next];
      },
    });
  } finally {
    for (const timer of timers) clearInterval(timer);
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

function carryOut(behaviour: Behaviour, response: ServerResponse, timers: Set<ReturnType<typeof setInterval>>): void {
  const repeat = (act: () => void, everyMs: number): void => {
    const timer = setInterval(act, everyMs);
    timers.add(timer);
    response.on("close", () => {
      clearInterval(timer);
      timers.delete(timer);
    });
  };
  switch (behaviour.kind) {
    case "answers":
      response.writeHead(behaviour.status, { "content-type": "application/json", ...behaviour.headers });
      response.end(behaviour.body);
      return;
    case "black_hole":
      return;
    case "drips":
      response.writeHead(200, { "content-type": "application/json" });
      repeat(() => response.write(" "), 20);
      return;
    case "floods": {
      response.writeHead(200, { "content-type": "application/json" });
      const block = " ".repeat(65_536);
      repeat(() => response.write(block), 1);
      return;
    }
    case "hangs_up":
      response.socket?.destroy();
      return;
  }
}
