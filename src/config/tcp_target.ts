/**
 * Where a guest listens, as people write it: `10.0.0.2:22`, `[fd00::2]:22`, `guest.internal:22`.
 * @module
 */

import { isIPv4, isIPv6 } from "node:net";
import type { TcpGuestProbe } from "../domain/vm_record.ts";

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}))*$/;

/** @returns undefined when `text` is not a host and a port from 1 to 65535 */
export function parseTcpTarget(text: string): TcpGuestProbe | undefined {
  const colon = text.lastIndexOf(":");
  const portText = text.slice(colon + 1);
  const port = /^[1-9]\d{0,4}$/.test(portText) ? Number(portText) : 0;
  if (colon < 1 || port < 1 || port > 65_535) return undefined;
  const written = text.slice(0, colon);
  const bracketed = /^\[(.*)\]$/.exec(written)?.[1];
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : undefined;
  // Digits and dots alone are an address; one that is malformed must not go to a resolver as a name.
  const valid = /^[\d.]+$/.test(written) ? isIPv4(written) : HOST_NAME.test(written);
  return valid ? { host: written, port } : undefined;
}
