/**
 * A port on the loopback address that nobody has.
 * @module
 */

import { once } from "node:events";
import { createServer } from "node:net";

/** Somebody else may take it before it is used; the kernel gives the same one out again late. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("Cannot go on as the server has no port");
  return address.port;
}
