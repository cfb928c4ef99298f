/**
 * The configuration: what stands in the file, over the defaults, validated as a whole.
 *
 * The defaults are merged in before anything is validated, so the document that was judged is the document in force, and it
 * is what `metald config show` prints.
 * @module
 */

import type { z } from "zod";
import type { Policy } from "../domain/policy.ts";
import { complaint, complaintsOf } from "./complaint.ts";
import { contradictionsIn, yieldingDefaults } from "./contradictions.ts";
import { DEFAULTS } from "./defaults.ts";
import { overlapsOf } from "./directories.ts";
import { type Document, isDocument, leavesOf } from "./key_paths.ts";
import { absolutePath, duration, flag, oneOf, section } from "./leaves.ts";
import { HEALTH_NAMES, healthFields, RECOVERY_NAMES, recoveryFields, renamed } from "./policy_sections.ts";
import { TELEMETRY_KEYS, type TelemetrySettings, telemetryFields, telemetrySettings } from "./telemetry_section.ts";

export interface Settings {
  readonly registryPath: string;
  readonly stateDir: string;
  readonly durableDir: string;
  readonly launcher: "auto" | "systemd" | "direct";
  readonly log: { readonly level: "debug" | "info" | "warn" | "error"; readonly format: "logfmt" | "json" };
  readonly telemetry: TelemetrySettings;
}

export interface Configuration {
  readonly policy: Policy;
  readonly settings: Settings;
  /** Every key with its value in force, as a file would give it. */
  readonly document: Document;
}

export type ConfigurationReading =
  | { readonly kind: "valid"; readonly configuration: Configuration }
  /** Everything that is wrong, one line each, naming key, rule and value. */
  | { readonly kind: "invalid"; readonly errors: readonly string[] };

const schema = section({
  enabled: flag,
  health_check: section(healthFields),
  recovery: section(recoveryFields),
  reconcile_interval: duration("10ms", "7d"),
  strays: section({ action: oneOf("report"), min_age: duration("0s", "30d") }),
  registry: section({ type: oneOf("directory"), path: absolutePath }),
  launcher: oneOf("auto", "systemd", "direct"),
  state_dir: absolutePath,
  durable_dir: absolutePath,
  log: section({ level: oneOf("debug", "info", "warn", "error"), format: oneOf("logfmt", "json") }),
  telemetry: section(telemetryFields),
});

const KNOWN_KEYS = [...leavesOf(DEFAULTS).keys(), ...Object.keys(DEFAULTS), ...TELEMETRY_KEYS];

/** @param written the parsed file; `{}` gives the defaults */
export function readConfiguration(written: unknown): ConfigurationReading {
  if (!isDocument(written)) return { kind: "invalid", errors: [complaint("", "it must be an object", written)] };
  const document = withDefaults(written);
  const parsed = schema.safeParse(document);
  const errors = parsed.success ? [] : complaintsOf(parsed.error, document, KNOWN_KEYS);
  for (const name of ["health_check", "recovery"] as const) {
    const part = document[name];
    if (isDocument(part)) errors.push(...contradictionsIn(name, part));
  }
  if (!parsed.success) return { kind: "invalid", errors };
  const configuration = configurationOf(parsed.data, document);
  errors.push(...overlapsOf(configuration.settings));
  return errors.length > 0 ? { kind: "invalid", errors } : { kind: "valid", configuration };
}

function configurationOf(values: z.infer<typeof schema>, document: Document): Configuration {
  return {
    policy: {
      enabled: values.enabled,
      health: renamed(values.health_check, HEALTH_NAMES),
      recovery: renamed(values.recovery, RECOVERY_NAMES),
      reconcileIntervalMs: values.reconcile_interval,
      strayMinAgeMs: values.strays.min_age,
    },
    settings: {
      registryPath: values.registry.path,
      stateDir: values.state_dir,
      durableDir: values.durable_dir,
      launcher: values.launcher,
      log: values.log,
      telemetry: telemetrySettings(values.telemetry),
    },
    document,
  };
}

function withDefaults(written: Document): Document {
  const merged = merge(DEFAULTS, written);
  for (const name of ["health_check", "recovery"] as const) {
    const part = written[name];
    if (isDocument(part)) merged[name] = merge(yieldingDefaults(name, DEFAULTS[name], part), part);
  }
  return merged;
}

/** `written` over `defaults`, section by section. */
function merge(defaults: Document, written: Document): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...defaults };
  for (const [key, value] of Object.entries(written)) {
    const below = Object.hasOwn(defaults, key) ? defaults[key] : undefined;
    const mergedValue = isDocument(below) && isDocument(value) ? merge(below, value) : value;
    // An assignment to `__proto__` would set the object's prototype.
    Object.defineProperty(merged, key, { value: mergedValue, enumerable: true, configurable: true, writable: true });
  }
  return merged;
}
