/**
 * `metald config show`: every key with the value in force, as JSON and as a file would give it.
 * @module
 */

import { type ConfigurationSource, loadConfiguration } from "../config/load.ts";
import { EXIT_CODE, type ExitCode } from "./exit_code.ts";
import type { Output } from "./output.ts";

export function showConfiguration(source: ConfigurationSource, output: Output): ExitCode {
  const loaded = loadConfiguration(source);
  if (loaded.kind === "rejected") {
    for (const error of loaded.errors) output.complain(error);
    return EXIT_CODE.configuration;
  }
  output.print(`${JSON.stringify(loaded.configuration.document, undefined, 2)}\n`);
  return EXIT_CODE.ok;
}
