/**
 * A VMM without a VM, as a program of its own: it takes the arguments of Firecracker (`--id`, `--api-sock`) or of Cloud
 * Hypervisor (`--api-socket`), speaks that one's API, and misbehaves on command (control.ts).
 *
 * Like the real ones it leaves its socket behind when killed, and refuses to start on one that is left over.
 * @module
 */

import { existsSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { type Control, countRequest, heed } from "./control.ts";

const FLOOD_BYTES = 200 * 1024 * 1024;
/** The exit code of a Firecracker whose arguments are wrong. */
const BAD_ARGUMENTS = 153;

const { values: options } = parseArgs({
  strict: false,
  options: {
    id: { type: "string" },
    "api-sock": { type: "string" },
    "api-socket": { type: "string" },
    "config-file": { type: "string" },
  },
});
const controlPath = text(options["config-file"]);
const ownId = text(options.id) ?? "anonymous-instance";
const firecrackerSocket = text(options["api-sock"]);
const socketPath = firecrackerSocket ?? text(options["api-socket"])?.replace(/^path=/, "");

interface Reply {
  readonly status: number;
  readonly body: string;
  /** The guest obeys: the VMM exits once the reply is out. */
  readonly exits?: boolean;
}

function text(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function fail(message: string, code: number): never {
  console.error(message);
  process.exit(code);
}

function json(value: unknown): Reply {
  return { status: 200, body: JSON.stringify(value) };
}

function askGuestToShutDown(control: Control): Reply {
  console.log("shutdown requested");
  return { status: 204, body: "", exits: control.ignoresShutdown !== true };
}

function firecracker(request: string, control: Control): Reply {
  const state = control.state ?? "Running";
  switch (request) {
    case "GET /":
      return json({ id: control.id ?? ownId, state, vmm_version: "1.13.1", app_name: "Firecracker" });
    case "PUT /actions":
      return askGuestToShutDown(control);
    default:
      return {
        status: 400,
        body: JSON.stringify({ fault_message: `Invalid request method and/or path: ${request}.` }),
      };
  }
}

function cloudHypervisor(request: string, control: Control): Reply {
  const state = control.state ?? "Running";
  switch (request) {
    case "GET /api/v1/vmm.ping":
      return json({ build_version: "v48.0", version: "48.0.0", pid: control.pid ?? process.pid, features: ["kvm"] });
    case "GET /api/v1/vm.info":
      return json({ config: { cpus: { boot_vcpus: 1 } }, state, memory_actual_size: 536870912 });
    case "PUT /api/v1/vm.power-button":
      return askGuestToShutDown(control);
    default:
      return { status: 404, body: "" };
  }
}

function format({ status, body }: Reply): string {
  const head = `HTTP/1.1 ${status} \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n`;
  if (status === 204) return `${head}\r\n`;
  return `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

function drip(socket: Socket, message: string): void {
  let sent = 0;
  const timer = setInterval(() => {
    if (sent < message.length && socket.writable) socket.write(message.charAt(sent++));
    else clearInterval(timer);
  }, 100);
}

function flood(socket: Socket): void {
  const block = Buffer.alloc(64 * 1024, "x");
  let sent = 0;
  const pour = (): void => {
    while (sent < FLOOD_BYTES && socket.writable) {
      sent += block.length;
      if (!socket.write(block)) {
        socket.once("drain", pour);
        return;
      }
    }
    socket.end();
  };
  socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
  pour();
}

function answer(socket: Socket, request: string): void {
  countRequest(controlPath);
  const control = heed(controlPath);
  const speak = firecrackerSocket === undefined ? cloudHypervisor : firecracker;
  switch (control.conduct ?? "answer") {
    case "answer": {
      const reply = speak(request, control);
      socket.write(format(reply), () => {
        if (reply.exits === true) process.exit(0);
      });
      return;
    }
    case "error":
      socket.write(format({ status: 503, body: JSON.stringify({ fault_message: "Too many open connections" }) }));
      return;
    case "garbage":
      socket.end(Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 37) & 255)));
      return;
    case "drip":
      drip(socket, format(speak(request, control)));
      return;
    case "flood":
      flood(socket);
      return;
    case "close":
      socket.end();
      return;
    case "hang":
      return;
  }
}

function serve(path: string): void {
  const server = createServer((socket) => {
    let received = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => {
      received += bytes.toString("latin1");
      const [head = "", body] = received.split("\r\n\r\n");
      if (body === undefined) return;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (body.length < length) return;
      received = "";
      answer(socket, head.split(" ", 2).join(" "));
    });
  });
  server.on("error", (error) => fail(`Failed to open the API socket at: ${path}: ${error.message}`, 1));
  server.listen(path, () => console.log("listening"));
}

if (socketPath === undefined) fail("Cannot start as an API socket is required: current value is none", BAD_ARGUMENTS);
// Some runtimes unlink a socket in their way; the VMMs do not.
if (existsSync(socketPath))
  fail(`Failed to open the API socket at: ${socketPath}. Check that it is not already used.`, 1);
setTimeout(() => serve(socketPath), heed(controlPath).startDelayMs ?? 0);
setInterval(() => {
  const { exitCode } = heed(controlPath);
  if (exitCode !== undefined) process.exit(exitCode);
}, 20);
