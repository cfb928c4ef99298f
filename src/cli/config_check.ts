/**
 * `metald config check`: every error of the configuration, one line each.
 *
 * It is asked from a shell about a service, so it judges the file as the service would meet it, not as the shell would.
 * @module
 */

import { type ConfigurationSource, DEFAULT_CONFIGURATION_PATH } from "../config/load.ts";
import { loadChecked } from "./checked_configuration.ts";
import { EXIT_CODE, type ExitCode } from "./exit_code.ts";
import type { Output } from "./output.ts";

export function checkConfiguration(source: ConfigurationSource, output: Output): ExitCode {
  const loaded = loadChecked(source, { systemdIsInit: true, insideService: false, isRoot: true });
  if (loaded.kind === "rejected") {
    for (const error of loaded.errors) output.complain(error);
    return EXIT_CODE.configuration;
  }
  const what = loaded.path ?? `there is no ${DEFAULT_CONFIGURATION_PATH}, and the defaults in its place are`;
  output.print(`${what}${loaded.path === undefined ? "" : ":"} valid\n`);
  return EXIT_CODE.ok;
}
