/**
 * Which configuration the service has, for a command that somebody types in a shell: there the variables are missing that systemd
 * gives to the service, and another configuration means another `state_dir`.
 * @module
 */

import { parseEnvironmentFile } from "../config/environment_file.ts";
import { readTrustedFile } from "../config/trusted_file.ts";
import { unreachable } from "../domain/unreachable.ts";
import type { Output } from "./output.ts";

/** `EnvironmentFile=` of the unit. */
export const SERVICE_ENVIRONMENT_PATH = "/etc/metald/environment";
const BYTES_MAX = 64 * 1024;
const VARIABLE = "METALD_CONFIG";

export interface ServiceConfigurationOptions {
  /** From the command line or the shell's own variables; it goes first. */
  readonly named: string | undefined;
  readonly environmentPath: string;
  /** The user who asks. */
  readonly uid: number;
  readonly output: Output;
}

/** Says where the path comes from when nobody typed it. Undefined: the default path. */
export function serviceConfigPath(options: ServiceConfigurationOptions): string | undefined {
  const { named, environmentPath, uid, output } = options;
  if (named !== undefined) return named;
  const file = readTrustedFile(environmentPath, { uid, bytesMax: BYTES_MAX });
  switch (file.kind) {
    case "absent":
      return undefined;
    case "refused":
    case "unreadable":
      output.complain(`Cannot tell whether the service has another configuration: ${file.error}`);
      return undefined;
    case "read": {
      const path = parseEnvironmentFile(file.text).get(VARIABLE);
      if (path === undefined || path === "") return undefined;
      output.complain(`the configuration is ${path}, as for the service: ${environmentPath} sets ${VARIABLE}`);
      return path;
    }
    default:
      return unreachable(file);
  }
}
