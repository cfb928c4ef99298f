/**
 * The messages of OTLP as protobufjs made them of the official `.proto` files; a later release of the package has them no longer.
 * @module
 */

import root from "@opentelemetry/otlp-transformer/build/src/generated/root.js";

export interface MessageType {
  fromObject(json: object): object;
  /** Null: valid; else what is wrong. */
  verify(message: object): string | null;
  encode(message: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
  toObject(message: object, options: { readonly longs: typeof String; readonly bytes?: typeof String }): object;
}

interface Collector {
  readonly metrics: { readonly v1: { readonly ExportMetricsServiceRequest: MessageType } };
  readonly trace: { readonly v1: { readonly ExportTraceServiceRequest: MessageType } };
}

export const PROTOCOL: Collector = Reflect.get(root, "opentelemetry").proto.collector;

/** What a collector has of `json` after it was read, sent as bytes and read again. */
export function throughProtocol(type: MessageType, json: object): object {
  const message = type.fromObject(json);
  const wrong = type.verify(message);
  if (wrong !== null) throw new TypeError(`Cannot encode as the protocol says otherwise: ${wrong}`);
  return type.toObject(type.decode(type.encode(message).finish()), { longs: String, bytes: String });
}
