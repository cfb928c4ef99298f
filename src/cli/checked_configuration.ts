/**
 * The configuration together with what only the host can tell of it.
 * @module
 */

import { chooseLauncher, type Surroundings } from "../config/launcher_choice.ts";
import {
  type ConfigurationSource,
  DEFAULT_CONFIGURATION_PATH,
  type LoadedConfiguration,
  loadConfiguration,
} from "../config/load.ts";

export function loadChecked(source: ConfigurationSource, surroundings: Surroundings): LoadedConfiguration {
  const loaded = loadConfiguration(source);
  if (loaded.kind === "rejected") return loaded;
  const choice = chooseLauncher(loaded.configuration.settings.launcher, surroundings);
  if (choice.kind !== "rejected") return loaded;
  return { kind: "rejected", errors: [`${loaded.path ?? DEFAULT_CONFIGURATION_PATH}: ${choice.error}`] };
}
