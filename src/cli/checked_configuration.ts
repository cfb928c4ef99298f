/**
 * The configuration together with what only the host can tell of it: what can start VMs there, and whether the agent's own
 * directories are safe from others. Who can write to those decides what is started as root.
 * @module
 */

import { chooseLauncher, type Surroundings } from "../config/launcher_choice.ts";
import {
  type ConfigurationSource,
  DEFAULT_CONFIGURATION_PATH,
  type LoadedConfiguration,
  loadConfiguration,
} from "../config/load.ts";
import { whyPathUntrusted } from "../config/trusted_path.ts";

export function loadChecked(source: ConfigurationSource, surroundings: Surroundings): LoadedConfiguration {
  const loaded = loadConfiguration(source);
  if (loaded.kind === "rejected") return loaded;
  const { launcher, stateDir, durableDir } = loaded.configuration.settings;
  const choice = chooseLauncher(launcher, surroundings);
  const errors = choice.kind === "rejected" ? [choice.error] : [];
  for (const [key, path] of [
    ["state_dir", stateDir],
    ["durable_dir", durableDir],
  ] as const) {
    const why = whyPathUntrusted(path, source);
    if (why !== undefined) errors.push(`${key}: ${why}`);
  }
  if (errors.length === 0) return loaded;
  const file = loaded.path ?? DEFAULT_CONFIGURATION_PATH;
  return { kind: "rejected", errors: errors.map((error) => `${file}: ${error}`) };
}
