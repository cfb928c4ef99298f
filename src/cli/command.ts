/**
 * What the command line asks for.
 * @module
 */

import type { VmId } from "../domain/vm_record.ts";
import { type AssetName, isAssetName } from "./assets.ts";
import { type InternalCommand, parseInternalCommand } from "./internal_command.ts";

export type Command =
  | InternalCommand
  /** `configPath`: undefined is the default path. */
  | { readonly kind: "run"; readonly configPath: string | undefined }
  | { readonly kind: "config_check"; readonly configPath: string | undefined }
  | { readonly kind: "config_show"; readonly secrets: boolean; readonly configPath: string | undefined }
  /** `vmId`: undefined is all of them; not judged yet. */
  | {
      readonly kind: "status";
      readonly vmId: VmId | undefined;
      readonly json: boolean;
      readonly configPath: string | undefined;
    }
  | { readonly kind: "assets"; readonly name: AssetName }
  | { readonly kind: "version" }
  | { readonly kind: "help" }
  /** One sentence. */
  | { readonly kind: "misused"; readonly error: string };

/**
 * @param args without the program's own name
 * @param configVariable `METALD_CONFIG`; empty means unset, and `--config` goes before it
 */
export function parseCommand(args: readonly string[], configVariable: string | undefined): Command {
  const internal = parseInternalCommand(args);
  if (internal !== undefined) return internal;
  const words: string[] = [];
  let json = false;
  let secrets = false;
  let configPath = configVariable === "" ? undefined : configVariable;
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? "";
    if (argument === "--help" || argument === "-h") return { kind: "help" };
    if (argument === "--version") return { kind: "version" };
    if (argument === "--config" || argument.startsWith("--config=")) {
      const inline = argument.slice("--config=".length);
      const path = argument === "--config" ? args[index + 1] : inline;
      if (path === undefined || path === "") return misused("--config must be followed by a path", argument);
      if (argument === "--config") index += 1;
      configPath = path;
    } else if (argument === "--json") json = true;
    else if (argument === "--secrets") secrets = true;
    else if (argument.startsWith("-")) return misused("there is no such option", argument);
    else words.push(argument);
  }
  const asked = words.join(" ");
  if (secrets && asked !== "config show") return misused("only config show has --secrets", asked);
  if (asked === "config show" && !json) return { kind: "config_show", secrets, configPath };
  if (words[0] === "status" && words.length <= 2) return { kind: "status", vmId: words[1], json, configPath };
  return json ? misused("only status has --json", asked) : commandOf(words, configPath);
}

function commandOf(words: readonly string[], configPath: string | undefined): Command {
  const [first, name = "", ...more] = words;
  if (first === "assets" && more.length === 0 && isAssetName(name)) return { kind: "assets", name };
  const asked = words.join(" ");
  switch (asked) {
    case "run":
      return { kind: "run", configPath };
    case "config check":
      return { kind: "config_check", configPath };
    case "version":
      return { kind: "version" };
    case "help":
      return { kind: "help" };
    default:
      return misused(
        "the command must be run, status, config check, config show, assets unit|config|alerts|dashboard, version or help",
        asked,
      );
  }
}

function misused(rule: string, value: string): Command {
  return {
    kind: "misused",
    error: `Cannot use this command line as ${rule}: current value is ${JSON.stringify(value)}`,
  };
}
