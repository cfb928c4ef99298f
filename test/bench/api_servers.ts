/**
 * Answers on the API sockets of a thousand VMs from one process, since what a VMM's own process costs is not what is measured here.
 *
 *     bun api_servers.ts firecracker|qemu <socket>...
 *
 * Prints a line once it serves all, and ends when its standard input closes.
 * @module
 */

import { createServer, type Server, type Socket } from "node:net";
import { basename } from "node:path";
import process from "node:process";

type Api = (socket: Socket, socketPath: string) => void;

const apis: Readonly<Record<string, Api>> = { firecracker, qemu };

function firecracker(socket: Socket, socketPath: string): void {
  const id = basename(socketPath, ".sock");
  const body = JSON.stringify({ id, state: "Running", vmm_version: "1.13.1", app_name: "Firecracker" });
  const head = `HTTP/1.1 200 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n`;
  socket.on("data", () => socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`));
}

const GREETING = { QMP: { version: { qemu: { micro: 0, minor: 2, major: 7 }, package: "" }, capabilities: ["oob"] } };

function qemu(socket: Socket): void {
  socket.write(`${JSON.stringify(GREETING)}\r\n`);
  socket.on("data", (bytes) => {
    for (const line of bytes.toString().trim().split("\n")) {
      const { execute, id } = JSON.parse(line);
      const status = execute === "query-status" ? { status: "running", singlestep: false, running: true } : {};
      socket.write(`${JSON.stringify({ return: status, id })}\r\n`);
    }
  });
}

function serve(socketPath: string, api: Api): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    api(socket, socketPath);
  });
  return new Promise((resolve) => server.listen(socketPath, () => resolve(server)));
}

const [kind = "", ...socketPaths] = process.argv.slice(2);
const api = apis[kind];
if (api === undefined) throw new Error(`Cannot serve as the API must be known: current value is ${kind}`);
for (const socketPath of socketPaths) await serve(socketPath, api);
console.log("serving");
process.stdin.resume().on("end", () => process.exit());
