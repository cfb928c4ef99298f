/**
 * Who exports: the attributes of the agent that all its metrics and spans carry.
 *
 * `service.instance.id` must be the same after a restart, or each restart begins new series. It is made of the machine's id and the
 * registry, of which one agent has one; the machine's id itself must not leave the host:
 * https://www.freedesktop.org/software/systemd/man/latest/machine-id.html
 * @module
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Attributes } from "@opentelemetry/api";

export interface ResourceOptions {
  readonly version: string;
  readonly registryPath: string;
  /** What an operator gave; it goes before what is found here. */
  readonly attributes: Attributes;
  /** @default "/etc/machine-id" */
  readonly machineIdPath?: string;
}

export function resourceOf({ version, registryPath, attributes, machineIdPath }: ResourceOptions): Attributes {
  const machine = readMachineId(machineIdPath ?? "/etc/machine-id") ?? hostname();
  return {
    "service.name": "metald",
    "service.version": version,
    "service.instance.id": instanceId(`metald\0${machine}\0${registryPath}`),
    "host.name": hostname(),
    "telemetry.sdk.name": "metald",
    "telemetry.sdk.language": "nodejs",
    "telemetry.sdk.version": version,
    ...attributes,
  };
}

function readMachineId(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}

/** A UUID of version 8, whose bits are for the maker to choose: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8 */
function instanceId(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}
