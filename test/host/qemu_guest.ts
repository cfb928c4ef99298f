/**
 * A QEMU guest of ours: the command line that runs it, its console, and a monitor of the test's own.
 * @module
 */

import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { accelerator } from "./accelerator.ts";
import { buildGuest } from "./guest/build.ts";
import { waitFor } from "./wait.ts";

export interface GuestOptions {
  /** Further arguments: `-no-reboot`, `-action panic=pause`. */
  readonly extra?: readonly string[];
}

export interface QemuGuest {
  readonly id: string;
  readonly argv: readonly [string, ...string[]];
  /** The agent's own monitor. */
  readonly socketPath: string;
  /** Another one, for the test. */
  readonly monitorPath: string;
  readonly consolePath: string;
}

/** @param directory in which its sockets lie */
export async function qemuGuest(directory: string, id: string, { extra = [] }: GuestOptions = {}): Promise<QemuGuest> {
  const elf = buildGuest();
  const socketPath = join(directory, `${id}.qmp`);
  const monitorPath = join(directory, `${id}.test.qmp`);
  const consolePath = join(directory, `${id}.console`);
  const argv = [
    "/usr/bin/qemu-system-x86_64",
    ...["-name", id, "-nodefaults", "-no-user-config", "-display", "none"],
    ...["-M", "pc", "-m", "16", "-accel", await accelerator(elf), "-kernel", elf, "-device", "pvpanic"],
    ...["-serial", `unix:${consolePath},server=on,wait=off`],
    ...["-qmp", `unix:${socketPath},server=on,wait=off`],
    ...["-qmp", `unix:${monitorPath},server=on,wait=off`],
    ...extra,
  ] as const;
  return { id, argv, socketPath, monitorPath, consolePath };
}

export interface Console {
  /** What the guest has said since the console was opened. */
  text(): string;
  /** Resolves once the guest has said it. */
  hears(words: string): Promise<void>;
  /** A command of guest.c. */
  send(command: string): void;
  close(): void;
}

/** Connects once the guest's QEMU serves it, and waits for a heartbeat. */
export async function openConsole({ consolePath }: QemuGuest): Promise<Console> {
  const socket = await connectOnceServed(consolePath);
  let text = "";
  socket.on("data", (bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString("latin1");
  });
  const opened: Console = {
    text: () => text,
    hears: async (words) => {
      await waitFor(
        `the guest says ${words}`,
        () => text.includes(words),
        () => text.slice(-500),
      );
    },
    send: (command) => void socket.write(command),
    close: () => void socket.destroy(),
  };
  await opened.hears("HEARTBEAT");
  return opened;
}

/** Sends one command over the test's own monitor. */
export async function monitorCommand({ monitorPath }: QemuGuest, command: string): Promise<void> {
  const socket = await connectOnceServed(monitorPath);
  let text = "";
  socket.on("data", (bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString("utf8");
  });
  socket.write(`{"execute": "qmp_capabilities"}\n{"execute": "${command}", "id": "test"}\n`);
  await waitFor(
    `QEMU replies to ${command}`,
    () => /"id": "test"/.test(text),
    () => text,
  );
  socket.destroy();
}

export function connectOnceServed(path: string): Promise<Socket> {
  return waitFor(`somebody serves ${path}`, () => tryToConnect(path));
}

function tryToConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once("connect", () => resolve(socket));
    socket.on("error", () => {
      socket.destroy();
      resolve(undefined);
    });
  });
}
