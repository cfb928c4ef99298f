/**
 * Where the repository and its pinned tools are.
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The top of the repository, absolute, with no slash at its end. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** The path of a tool that `npm ci` installed. */
export function tool(name: "biome" | "bun" | "deno" | "tsc"): string {
  return join(ROOT, "node_modules/.bin", name);
}
