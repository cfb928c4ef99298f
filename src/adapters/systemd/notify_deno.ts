/**
 * Datagrams under Deno, through `Deno.dlopen`.
 * @module
 */

import { DATAGRAM, type SendDatagram } from "./notify.ts";

interface ForeignFunctions {
  dlopen(
    library: string,
    symbols: Record<string, { readonly parameters: readonly string[]; readonly result: string }>,
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

/**
 * @param address a `struct sockaddr_un`
 * @throws {Error} When the C library cannot be called, or gives no socket.
 */
export function openDatagrams(address: Uint8Array): SendDatagram {
  // By a variable: Deno's own types know `Deno` and describe `dlopen` more narrowly than one call needs.
  const name: string = "Deno";
  const deno: ForeignFunctions | undefined = Reflect.get(globalThis, name);
  if (deno === undefined) throw new Error("Cannot notify as this runtime must be Deno");
  const { symbols } = deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  });
  const fd = symbols.socket(DATAGRAM.AF_UNIX, DATAGRAM.TYPE, 0);
  if (fd < 0) throw new Error("Cannot notify as there is no socket to be had");
  return (message) => {
    const bytes = new TextEncoder().encode(message);
    return Number(symbols.sendto(fd, bytes, bytes.length, DATAGRAM.FLAGS, address, address.length)) === bytes.length;
  };
}
