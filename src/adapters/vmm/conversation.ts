/**
 * One short conversation over one socket: connect, talk, hang up.
 *
 * Every driver needs the same care, so it stands here once. The deadline is absolute and covers everything, since a peer
 * that sends a byte a second is never idle. The socket and the timer are gone when the promise resolves, whatever
 * happened. Connections are never reused: a pooled one goes on talking to the old server after a socket's path was
 * bound anew.
 * @module
 */

import { closeSync, openSync } from "node:fs";
import { connect, isIP, type NetConnectOpts, type Socket } from "node:net";
import { performance } from "node:perf_hooks";

/** What the client says and when it has heard enough. The first value returned ends the conversation. */
export interface Protocol<T> {
  /** Connected. */
  open(send: (text: string) => void): T | undefined;
  /** Bytes came, in pieces of any size. The protocol limits how many it takes. */
  receive(bytes: Uint8Array, send: (text: string) => void): T | undefined;
  /** The peer has said all that it will. */
  end(): T | undefined;
}

export type Ending<T> =
  | { readonly kind: "completed"; readonly value: T }
  /** No connection came about, for which `code` is the host's reason. */
  | { readonly kind: "not_connected"; readonly code: string; readonly error: string }
  /** The peer hung up before the protocol was through. */
  | { readonly kind: "closed"; readonly receivedBytes: number; readonly error: string }
  | { readonly kind: "timed_out"; readonly connected: boolean; readonly receivedBytes: number }
  /** This host was at fault: no descriptor, no resolver, an event loop too late. Says nothing of the peer. */
  | { readonly kind: "incapable"; readonly error: string };

/** A deadline noticed this much too late was missed by this process, not by the peer. */
const LATE_MS = 500;

/** An instant on the clock that `converse` measures its deadline by. */
export function deadlineIn(timeoutMs: number): number {
  return performance.now() + timeoutMs;
}

/**
 * @param to a path or a host and port, as `net.connect` takes them
 * @param deadlineAt see `deadlineIn`
 * @returns how it ended; never rejects
 */
export function converse<T>(to: NetConnectOpts, protocol: Protocol<T>, deadlineAt: number): Promise<Ending<T>> {
  return new Promise((resolve) => {
    let socket: Socket;
    try {
      socket = connect(to);
    } catch (error) {
      resolve({ kind: "incapable", error: `Cannot open a socket as connect() threw: ${messageOf(error)}` });
      return;
    }
    let settled = false;
    let connected = false;
    let receivedBytes = 0;
    let resolving = "host" in to && to.host !== undefined && isIP(to.host) === 0;

    const settle = (ending: Ending<T>): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      socket.destroy();
      resolve(ending);
    };
    const complete = (value: T | undefined): void => {
      if (value !== undefined) settle({ kind: "completed", value });
    };
    const hungUp = (error: string): void => settle({ kind: "closed", receivedBytes, error });
    const send = (text: string): void => {
      if (!settled) socket.write(text);
    };
    const expire = (): void => {
      const lateMs = performance.now() - deadlineAt;
      // Timers run before sockets are read. One more turn lets an answer in that has long arrived.
      setImmediate(() => {
        if (lateMs > LATE_MS) settle({ kind: "incapable", error: lateError(lateMs) });
        else if (resolving) settle({ kind: "incapable", error: "the name was not resolved before the deadline" });
        else settle({ kind: "timed_out", connected, receivedBytes });
      });
    };
    const timer = setTimeout(expire, Math.max(0, deadlineAt - performance.now()));

    socket.on("lookup", () => {
      resolving = false;
    });
    socket.on("connect", () => {
      if (settled) return;
      connected = true;
      complete(protocol.open(send));
    });
    socket.on("data", (bytes: Uint8Array) => {
      if (settled) return;
      receivedBytes += bytes.length;
      complete(protocol.receive(bytes, send));
    });
    socket.on("end", () => {
      if (settled) return;
      complete(protocol.end());
      hungUp("it closed the connection");
    });
    // Stays on a settled socket, as an error without a listener would end the process.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (settled) return;
      if (connected) hungUp(`it broke the connection (${error.code ?? error.message})`);
      else settle(refusal(error));
    });
    socket.on("close", () => hungUp("it closed the connection"));
  });
}

/**
 * Bun reports nearly every failed connect as ECONNREFUSED, also when this process has no descriptor left, which says
 * nothing of the peer. So a refusal is believed only if a descriptor can be had.
 */
function refusal<T>(error: NodeJS.ErrnoException): Ending<T> {
  const code = error.code ?? "UNKNOWN";
  if (code === "ECONNREFUSED") {
    try {
      closeSync(openSync("/dev/null", "r"));
    } catch (shortage) {
      return { kind: "incapable", error: `Cannot open a socket as none is left: ${messageOf(shortage)}` };
    }
  }
  return { kind: "not_connected", code, error: error.message };
}

function lateError(lateMs: number): string {
  return `the agent's event loop was ${Math.round(lateMs)} ms late`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
