/**
 * `metald config show`: every key with the value in force, as JSON and as a file would give it. What people paste into a ticket
 * has no secrets, unless they ask for them.
 * @module
 */

import { type ConfigurationSource, loadConfiguration } from "../config/load.ts";
import { withoutSecrets } from "../config/secrets.ts";
import { EXIT_CODE, type ExitCode } from "./exit_code.ts";
import type { Output } from "./output.ts";

export interface ShowOptions {
  readonly output: Output;
  /** Whether headers and the secret parts of URLs are shown. */
  readonly secrets: boolean;
}

export function showConfiguration(source: ConfigurationSource, { output, secrets }: ShowOptions): ExitCode {
  const loaded = loadConfiguration(source);
  if (loaded.kind === "rejected") {
    for (const error of loaded.errors) output.complain(error);
    return EXIT_CODE.configuration;
  }
  const { document } = loaded.configuration;
  output.print(`${JSON.stringify(secrets ? document : withoutSecrets(document), undefined, 2)}\n`);
  return EXIT_CODE.ok;
}
