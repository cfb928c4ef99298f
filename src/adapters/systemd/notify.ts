/**
 * Tells the service manager how the agent is: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
 *
 * A message is one datagram to the socket named by `NOTIFY_SOCKET`. Neither runtime has datagram sockets of that family, so
 * it goes through the foreign function interface; where that is denied, `systemd-notify` sends it, for which the unit needs
 * `NotifyAccess=all`. Nothing here waits or throws: a manager that does not listen must not hold up recovery.
 *
 * `WATCHDOG=1` is sent from `alive` alone, which the loop calls at the end of a turn: no timer may feed a watchdog.
 * @module
 */

import { spawn } from "node:child_process";
import type { Notify } from "../../ports/notify.ts";

/** Sends one datagram; false when it was not taken. */
export type SendDatagram = (message: string) => boolean;

const SENDERS_MAX = 4;
const SENDER_TIMEOUT_MS = 2_000;

export interface NotifyOptions {
  /** `NOTIFY_SOCKET`: a path, or a name in the abstract namespace after an `@`. Undefined: nobody is told. */
  readonly socket: string | undefined;
  /** `WATCHDOG_USEC` */
  readonly watchdogUsec: string | undefined;
  /** `WATCHDOG_PID`: the watchdog is this process's only. */
  readonly watchdogPid: string | undefined;
  /** Sends instead, for tests. @default by the runtime's foreign functions, else by `systemd-notify` */
  readonly send?: SendDatagram;
}

export async function createNotify(options: NotifyOptions): Promise<Notify> {
  const { socket } = options;
  if (socket === undefined || !/^[/@]./.test(socket)) return NOBODY;
  const send = options.send ?? (await openDatagrams(socket)) ?? createProgramSender(socket);
  return notifyBy(send, aliveIntervalMs(options));
}

const NOBODY: Notify = {
  ready() {},
  alive() {},
  status() {},
  stopping() {},
};

function notifyBy(send: SendDatagram, intervalMs: number | undefined): Notify {
  let aliveUntil = Number.NEGATIVE_INFINITY;
  /** What must be heard and was not taken: a service that is not known to be ready is ended. */
  let unready = false;
  let unsaid: string | undefined;
  const say = (message: string) => {
    try {
      return send(message);
    } catch {
      return false;
    }
  };
  const sayStatus = (text: string) => {
    unsaid = say(`STATUS=${text.replace(/[\0-\x1f\x7f]+/g, " ")}`) ? undefined : text;
  };
  const sayReady = () => {
    unready = !say("READY=1");
  };
  return {
    ready: sayReady,
    alive() {
      if (unready) sayReady();
      if (unsaid !== undefined) sayStatus(unsaid);
      const now = performance.now();
      if (intervalMs === undefined || now < aliveUntil) return;
      if (say("WATCHDOG=1")) aliveUntil = now + intervalMs;
    },
    status: sayStatus,
    stopping: () => void say("STOPPING=1"),
  };
}

/** A quarter of the watchdog's time, so that two turns may be late. Undefined: there is no watchdog. */
function aliveIntervalMs({ watchdogUsec, watchdogPid }: NotifyOptions): number | undefined {
  const usec = Number(watchdogUsec);
  if (watchdogUsec === undefined || !Number.isFinite(usec) || usec <= 0) return undefined;
  if (watchdogPid !== undefined && watchdogPid !== "" && Number(watchdogPid) !== process.pid) return undefined;
  return usec / 4000;
}

/** Undefined where the runtime cannot call the C library. */
async function openDatagrams(socket: string): Promise<SendDatagram | undefined> {
  try {
    const address = socketAddress(socket);
    if ("Bun" in globalThis) return await (await import("./notify_bun.ts")).openDatagrams(address);
    if ("Deno" in globalThis) return (await import("./notify_deno.ts")).openDatagrams(address);
    return undefined;
  } catch {
    return undefined;
  }
}

/**
 * `struct sockaddr_un`: the family in the order of the machine's bytes, then the path or the abstract name, which begins
 * with a zero and has its length from the address's: https://man7.org/linux/man-pages/man7/unix.7.html
 *
 * @throws {RangeError} When the name is too long for a socket.
 */
export function socketAddress(socket: string): Uint8Array {
  const AF_UNIX = 1;
  const NAME_BYTES_MAX = 108;
  const name = Buffer.from(socket.startsWith("@") ? `\0${socket.slice(1)}` : `${socket}\0`, "utf8");
  if (name.length > NAME_BYTES_MAX) {
    throw new RangeError(`Cannot use ${socket} as a socket's name must have at most ${NAME_BYTES_MAX} bytes`);
  }
  const address = new Uint8Array(2 + name.length);
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(name, 2);
  return address;
}

/** Numbers of Linux, common to x86-64 and arm64. */
export const DATAGRAM = {
  AF_UNIX: 1,
  /** SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK: the VMs must not inherit it. */
  TYPE: 0x2 | 0x80000 | 0x800,
  /** MSG_DONTWAIT | MSG_NOSIGNAL */
  FLAGS: 0x40 | 0x4000,
} as const;

function createProgramSender(socket: string): SendDatagram {
  let running = 0;
  return (message) => {
    if (running >= SENDERS_MAX) return false;
    running += 1;
    const child = spawn("systemd-notify", message.split("\n"), {
      stdio: "ignore",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", NOTIFY_SOCKET: socket },
      timeout: SENDER_TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    child.once("error", () => {});
    child.once("close", () => {
      running -= 1;
    });
    if (child.pid === undefined) running -= 1;
    child.unref();
    return true;
  };
}
