/**
 * The PEM files of a connection: who is believed, and who we are.
 *
 * Read for each request, as certificates are renewed while the agent runs. A path may lead anywhere by mistake, so nothing but a
 * regular file of a bounded size is read: a pipe would never open, and a device never end.
 * @module
 */

import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { SignalTarget } from "./otlp_plan.ts";

/** A bundle of all authorities of the web has a quarter of it. */
export const PEM_BYTES_MAX = 1_048_576;

/** As `node:tls` names them. */
export interface TlsFiles {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
}

/** @throws {Error} that names the path */
export async function readTlsFiles({ url, tls }: Pick<SignalTarget, "url" | "tls">): Promise<TlsFiles> {
  const files: TlsFiles = {};
  if (url.protocol !== "https:") return files;
  if (tls.certificate !== undefined) files.ca = await readPem(tls.certificate);
  if (tls.clientCertificate !== undefined) files.cert = await readPem(tls.clientCertificate);
  if (tls.clientKey !== undefined) files.key = await readPem(tls.clientKey);
  return files;
}

async function readPem(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) {
      throw new Error(`Cannot read ${path} as it must be a regular file: current value is none`);
    }
    const buffer = Buffer.alloc(PEM_BYTES_MAX + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    if (length <= PEM_BYTES_MAX) return buffer.subarray(0, length);
    throw new Error(`Cannot read ${path} as it must have at most ${PEM_BYTES_MAX} bytes: current value is more`);
  } finally {
    await file.close();
  }
}
