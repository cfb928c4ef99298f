/**
 * How this very program is called, before its sub-command: units of systemd call it.
 *
 * The compiled binary is all that it needs. From the sources it is the runtime with its script.
 * @module
 */

import process from "node:process";

/** Where Bun keeps the script inside of a compiled binary. */
const EMBEDDED = "/$bunfs/";

export function agentCommand(): readonly string[] {
  const script = process.argv[1] ?? "";
  if (script.startsWith(EMBEDDED)) return [process.execPath];
  return "Deno" in globalThis ? [process.execPath, "run", "-A", script] : [process.execPath, script];
}
