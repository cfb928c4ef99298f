/**
 * `metald assets`: prints a file that the binary carries, so that what is installed always fits the binary.
 * @module
 */

import alerts from "../assets/alerts.yaml" with { type: "text" };
import config from "../assets/config.jsonc" with { type: "text" };
import dashboard from "../assets/dashboard.json" with { type: "json" };
import unit from "../assets/metald.service" with { type: "text" };
import { EXIT_CODE, type ExitCode } from "./exit_code.ts";
import type { Output } from "./output.ts";

export const ASSETS = {
  /** The service's unit file. */
  unit,
  /** The configuration file, with every default. */
  config,
  /** Rules for Prometheus. */
  alerts,
  /** A dashboard for Grafana. */
  dashboard: `${JSON.stringify(dashboard, undefined, 2)}\n`,
} as const;

export type AssetName = keyof typeof ASSETS;

export function isAssetName(name: string): name is AssetName {
  return Object.hasOwn(ASSETS, name);
}

export function printAsset(name: AssetName, output: Output): ExitCode {
  output.print(ASSETS[name]);
  return EXIT_CODE.ok;
}
