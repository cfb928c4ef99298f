/**
 * Finds, judges and reads the configuration file.
 *
 * Nobody has to write one: without a file at the default path the defaults are in force. A path that somebody named must
 * exist, as running on with other values than those he wrote would be worse than not running.
 * @module
 */

import { dirname } from "node:path";
import { type Configuration, readConfiguration } from "./configuration.ts";
import { JsoncError, parseJsonc } from "./jsonc.ts";
import { judgeDirectory, readTrustedFile } from "./trusted_file.ts";

export const DEFAULT_CONFIGURATION_PATH = "/etc/metald/config.jsonc";
export const CONFIGURATION_BYTES_MAX = 1024 * 1024;

export interface ConfigurationSource {
  /** From the command line or the environment; undefined: the default path. */
  readonly path: string | undefined;
  /** The agent's own user. */
  readonly uid: number;
}

export type LoadedConfiguration =
  | {
      readonly kind: "loaded";
      readonly configuration: Configuration;
      /** Undefined: there is no file, and the defaults are in force. */
      readonly path: string | undefined;
    }
  /** Everything that is wrong, one line each, naming file, key, rule and value. */
  | { readonly kind: "rejected"; readonly errors: readonly string[] };

export function loadConfiguration(source: ConfigurationSource): LoadedConfiguration {
  const path = source.path ?? DEFAULT_CONFIGURATION_PATH;
  const directory = judgeDirectory(dirname(path), source);
  if (directory.kind === "refused" || directory.kind === "unreadable") return rejected([directory.error]);
  const file = readTrustedFile(path, { uid: source.uid, bytesMax: CONFIGURATION_BYTES_MAX });
  switch (file.kind) {
    case "read":
      return fromText(path, file.text);
    case "absent":
      if (source.path === undefined) return fromText(undefined, "{}");
      return rejected([`Cannot read ${path} as the file must exist: current value is absent`]);
    default:
      return rejected([file.error]);
  }
}

function fromText(path: string | undefined, text: string): LoadedConfiguration {
  let document: unknown;
  try {
    document = parseJsonc(text);
  } catch (error) {
    if (!(error instanceof JsoncError)) throw error;
    return rejected([`${path}: Cannot read the file as it must be JSON with comments: ${error.message}`]);
  }
  const reading = readConfiguration(document);
  if (reading.kind === "valid") return { kind: "loaded", configuration: reading.configuration, path };
  return rejected(reading.errors.map((error) => `${path}: ${error}`));
}

function rejected(errors: readonly string[]): LoadedConfiguration {
  return { kind: "rejected", errors };
}
