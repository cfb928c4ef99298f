/**
 * Datagrams under Bun, through `bun:ffi`.
 * @module
 */

import { DATAGRAM, type SendDatagram } from "./notify.ts";

interface ForeignFunctions {
  dlopen(
    library: string,
    symbols: Record<string, { readonly args: readonly string[]; readonly returns: string }>,
  ): { readonly symbols: Symbols };
}

interface Symbols {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly sendto: (
    fd: number,
    bytes: Uint8Array,
    count: number,
    flags: number,
    address: Uint8Array,
    addressBytes: number,
  ) => number | bigint;
}

/** glibc and musl. */
const C_LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/**
 * @param address a `struct sockaddr_un`
 * @throws {Error} When the C library cannot be called, or gives no socket.
 */
export async function openDatagrams(address: Uint8Array): Promise<SendDatagram> {
  // A variable, since type checkers without Bun's types do not know the module.
  const module: string = "bun:ffi";
  const symbols = loadSymbols(await import(module));
  const fd = symbols.socket(DATAGRAM.AF_UNIX, DATAGRAM.TYPE, 0);
  if (fd < 0) throw new Error("Cannot notify as there is no socket to be had");
  return (message) => {
    const bytes = Buffer.from(message, "utf8");
    return Number(symbols.sendto(fd, bytes, bytes.length, DATAGRAM.FLAGS, address, address.length)) === bytes.length;
  };
}

function loadSymbols(ffi: ForeignFunctions): Symbols {
  const errors: unknown[] = [];
  for (const library of C_LIBRARIES) {
    try {
      return ffi.dlopen(library, {
        socket: { args: ["i32", "i32", "i32"], returns: "i32" },
        sendto: { args: ["i32", "ptr", "usize", "i32", "ptr", "u32"], returns: "i64_fast" },
      }).symbols;
    } catch (error) {
      errors.push(error);
    }
  }
  throw new AggregateError(errors, "Cannot call the C library");
}
