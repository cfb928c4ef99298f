/**
 * Who exports: the attributes of the agent that all its metrics and spans carry.
 *
 * `service.instance.id` must be the same after a restart, or each restart begins new series, and Prometheus makes it the label
 * `instance`, which a person must recognise at night. So it is the host's name, and eight digits for hosts of the same name and for
 * a second registry on one host. They are made of the machine's id, which itself must not leave the host:
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
  const machine = readMachineId(machineIdPath ?? "/etc/machine-id") ?? "";
  const digits = createHash("sha256").update(`metald\0${machine}\0${registryPath}`).digest("hex").slice(0, 8);
  return {
    "service.name": "metald",
    "service.version": version,
    "service.instance.id": `${hostname()}-${digits}`,
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
