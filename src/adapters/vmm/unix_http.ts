/**
 * One HTTP request to a VMM's API socket.
 * @module
 */

import { converse, type Ending } from "./conversation.ts";
import { type HttpReply, HttpResponseReader } from "./http_response.ts";

export interface ApiRequest {
  readonly method: "GET" | "PUT";
  readonly path: string;
  /** JSON text. */
  readonly body?: string;
}

/**
 * @param socketPath of the API's unix socket
 * @param deadlineAt see `deadlineIn`
 */
export function requestOverUnixSocket(
  socketPath: string,
  request: ApiRequest,
  deadlineAt: number,
): Promise<Ending<HttpReply>> {
  const reader = new HttpResponseReader();
  return converse<HttpReply>(
    { path: socketPath },
    {
      open(send) {
        send(format(request));
        return undefined;
      },
      receive: (bytes) => reader.push(bytes),
      end: () => reader.end(),
    },
    deadlineAt,
  );
}

/** Firecracker and Cloud Hypervisor read requests with a small parser of their own: plain and short suits it best. */
function format({ method, path, body }: ApiRequest): string {
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n`;
  if (body === undefined) return `${head}\r\n`;
  return `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
