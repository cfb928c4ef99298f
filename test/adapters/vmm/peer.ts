/**
 * A program at the other end of a unix socket, inside the test's own process: for peers that need no process of their own.
 * @module
 */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Peer {
  readonly socketPath: string;
  /** How many connections are open at this moment. */
  openConnections(): number;
}

/** Serves `onConnection` on a socket in a temporary directory while `body` runs. */
export async function withPeer(
  onConnection: (socket: Socket) => void,
  body: (peer: Peer) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "vmm-peer-"));
  const socketPath = join(directory, "s");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    onConnection(socket);
    // What is never read is never seen to close.
    socket.resume();
  });
  try {
    server.listen(socketPath);
    await once(server, "listening");
    await body({ socketPath, openConnections: () => sockets.size });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
  const deadlineAt = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadlineAt) throw new Error(`Cannot go on as it never came about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
