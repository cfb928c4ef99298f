/**
 * Process handles under Deno: calls through `Deno.dlopen`, and exits noticed by one `epoll_wait` for all of them.
 *
 * A pidfd becomes readable at the exit of its process. The wait is a non-blocking foreign call, which Deno runs on a
 * thread of its pool: one thread for any number of processes, and one only while something is watched. A change of the
 * set takes effect on a wait that is under way; an eventfd ends it when nothing is left to wait for, as a pending call
 * would keep the agent from ending.
 * @module
 */

import { PIDFD_OPEN_CALL, PIDFD_SEND_SIGNAL_CALL, type Pidfds } from "./pidfd.ts";

const CLOEXEC = 0x80000;
const EPOLLIN = 1;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EVENTS_MAX = 64;
const NO_TIMEOUT = -1;
/** Names the eventfd among the watches, which count from 1. */
const WAKE_TOKEN = 0;

/** `struct epoll_event`, which is packed on x86-64 only: https://man7.org/linux/man-pages/man3/epoll_event.3type.html */
interface EventLayout {
  readonly bytes: number;
  readonly dataOffset: number;
}
const PACKED: EventLayout = { bytes: 12, dataOffset: 4 };
const ALIGNED: EventLayout = { bytes: 16, dataOffset: 8 };

interface Symbol {
  readonly parameters: readonly string[];
  readonly result: string;
  readonly nonblocking?: boolean;
}

interface ForeignFunctions {
  dlopen(library: string, symbols: Record<string, Symbol>): { readonly symbols: Symbols };
}

interface Symbols {
  readonly syscall: (call: number, a: number, b: number, c: null, d: number) => number | bigint;
  readonly close: (fd: number) => number;
  readonly eventfd: (initial: number, flags: number) => number;
  readonly write: (fd: number, bytes: Uint8Array, count: number) => number | bigint;
  readonly read: (fd: number, bytes: Uint8Array, count: number) => number | bigint;
  readonly epoll_create1: (flags: number) => number;
  readonly epoll_ctl: (epoll: number, operation: number, fd: number, event: Uint8Array) => number;
  readonly epoll_wait: (epoll: number, events: Uint8Array, eventsMax: number, timeoutMs: number) => Promise<number>;
}

/** @throws {Error} When the C library cannot be called, or has no `epoll`. */
export function openPidfds(): Pidfds {
  // By a variable: Deno's own types know `Deno` and describe `dlopen` more narrowly than one call needs.
  const name: string = "Deno";
  const deno: ForeignFunctions | undefined = Reflect.get(globalThis, name);
  if (deno === undefined) throw new Error("Cannot watch processes as this runtime must be Deno");
  const { symbols } = deno.dlopen("libc.so.6", {
    syscall: { parameters: ["i64", "i64", "i64", "pointer", "i64"], result: "i64" },
    close: { parameters: ["i32"], result: "i32" },
    eventfd: { parameters: ["u32", "i32"], result: "i32" },
    write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    epoll_create1: { parameters: ["i32"], result: "i32" },
    epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
    epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32", nonblocking: true },
  });
  const watch = createEpollWatch(symbols);
  return {
    open(pid) {
      const pidfd = Number(symbols.syscall(PIDFD_OPEN_CALL, pid, 0, null, 0));
      return pidfd < 0 ? undefined : pidfd;
    },
    signal: (pidfd, signal) => Number(symbols.syscall(PIDFD_SEND_SIGNAL_CALL, pidfd, signal, null, 0)) === 0,
    close: (pidfd) => void symbols.close(pidfd),
    watch,
  };
}

interface Watched {
  readonly pidfd: number;
  readonly onExit: () => void;
}

function createEpollWatch(symbols: Symbols): Pidfds["watch"] {
  const layout = process.arch === "x64" ? PACKED : ALIGNED;
  const epoll = symbols.epoll_create1(CLOEXEC);
  const wake = symbols.eventfd(0, CLOEXEC);
  const counter = new Uint8Array(8);
  const watched = new Map<number, Watched>();
  let tokenLast = WAKE_TOKEN;
  let waiting = false;

  const add = (fd: number, token: number) => {
    const event = new Uint8Array(layout.bytes);
    const view = new DataView(event.buffer);
    view.setUint32(0, EPOLLIN, true);
    view.setUint32(layout.dataOffset, token, true);
    return symbols.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, event) === 0;
  };
  if (epoll < 0 || wake < 0 || !add(wake, WAKE_TOKEN)) throw new Error("Cannot watch processes as epoll fails");

  const remove = (token: number) => {
    const entry = watched.get(token);
    if (entry === undefined) return undefined;
    watched.delete(token);
    symbols.epoll_ctl(epoll, EPOLL_CTL_DEL, entry.pidfd, new Uint8Array(layout.bytes));
    symbols.close(entry.pidfd);
    return entry;
  };

  const wait = async () => {
    if (waiting) return;
    waiting = true;
    const events = new Uint8Array(layout.bytes * EVENTS_MAX);
    const view = new DataView(events.buffer);
    while (watched.size > 0) {
      const count = await symbols.epoll_wait(epoll, events, EVENTS_MAX, NO_TIMEOUT);
      for (let index = 0; index < count; index += 1) {
        const token = view.getUint32(index * layout.bytes + layout.dataOffset, true);
        if (token === WAKE_TOKEN) symbols.read(wake, counter, counter.length);
        else remove(token)?.onExit();
      }
    }
    waiting = false;
  };

  return (pidfd, onExit) => {
    tokenLast += 1;
    const token = tokenLast;
    watched.set(token, { pidfd, onExit });
    if (add(pidfd, token)) void wait();
    else queueMicrotask(() => remove(token)?.onExit());
    return () => {
      if (remove(token) === undefined || watched.size > 0 || !waiting) return;
      symbols.write(wake, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]), counter.length);
    };
  };
}
