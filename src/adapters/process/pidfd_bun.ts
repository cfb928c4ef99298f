/**
 * Process handles under Bun: calls through `bun:ffi`, and exits noticed by the runtime's own event loop.
 *
 * A pidfd becomes readable at the exit of its process. `Bun.connect` takes any non-blocking file descriptor for a socket;
 * a pidfd is none, so the first read fails and the "socket" closes, 0.2 ms after the exit. That costs no thread and one
 * file descriptor a process. None of it is documented: `createProcessEvents` tries it before relying on it.
 * @module
 */

import { PIDFD_OPEN_CALL, PIDFD_SEND_SIGNAL_CALL, type Pidfds } from "./pidfd.ts";

const PIDFD_NONBLOCK = 0x800;

interface ForeignFunctions {
  dlopen(
    library: string,
    symbols: Record<string, { readonly args: readonly string[]; readonly returns: string }>,
  ): {
    readonly symbols: {
      readonly syscall: (call: number, a: number, b: number, c: null, d: number) => number | bigint;
      readonly close: (fd: number) => number;
    };
  };
}

interface Socket {
  terminate(): void;
  unref(): void;
}

interface Sockets {
  connect(options: {
    readonly fd: number;
    readonly socket: { data(): void; error(): void; close(): void };
  }): Promise<Socket>;
}

type Symbols = ReturnType<ForeignFunctions["dlopen"]>["symbols"];

/** glibc and musl. */
const C_LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/** @throws {Error} When the C library cannot be called. */
export async function openPidfds(): Promise<Pidfds> {
  // A variable, since type checkers without Bun's types do not know the module.
  const module: string = "bun:ffi";
  const symbols = loadSymbols(await import(module));
  const sockets: Sockets | undefined = Reflect.get(globalThis, "Bun");
  if (sockets === undefined) throw new Error("Cannot watch processes as this runtime must be Bun");
  const close = (pidfd: number) => void symbols.close(pidfd);
  return {
    open(pid) {
      const pidfd = Number(symbols.syscall(PIDFD_OPEN_CALL, pid, PIDFD_NONBLOCK, null, 0));
      return pidfd < 0 ? undefined : pidfd;
    },
    signal: (pidfd, signal) => Number(symbols.syscall(PIDFD_SEND_SIGNAL_CALL, pidfd, signal, null, 0)) === 0,
    close,
    watch: (pidfd, onExit) => watchSocket(sockets, pidfd, onExit),
  };
}

function loadSymbols(ffi: ForeignFunctions): Symbols {
  const errors: unknown[] = [];
  for (const library of C_LIBRARIES) {
    try {
      return ffi.dlopen(library, {
        syscall: { args: ["i64_fast", "i64_fast", "i64_fast", "ptr", "i64_fast"], returns: "i64_fast" },
        close: { args: ["i32"], returns: "i32" },
      }).symbols;
    } catch (error) {
      errors.push(error);
    }
  }
  throw new AggregateError(errors, "Cannot call the C library");
}

/** The socket owns the pidfd from the moment of connecting, and closes it exactly once, by itself or when it is ended. */
function watchSocket(sockets: Sockets, pidfd: number, onExit: () => void): () => void {
  let watching = true;
  let socket: Socket | undefined;
  const exit = () => {
    if (!watching) return;
    watching = false;
    onExit();
  };
  sockets.connect({ fd: pidfd, socket: { data() {}, error() {}, close: exit } }).then((connected) => {
    connected.unref();
    socket = connected;
    if (!watching) connected.terminate();
  }, exit);
  return () => {
    if (!watching) return;
    watching = false;
    socket?.terminate();
  };
}
