/**
 * What the program of a unit said last, from the journal, for one line of the log.
 *
 * Only asked for when the program has failed, since a large journal takes its time.
 * @module
 */

import { runBriefly } from "../process/brief_program.ts";

const SYNC_TIMEOUT_MS = 1_000;
const READ_TIMEOUT_MS = 3_000;
const LINES_MAX = 20;
const OUTPUT_BYTES_MAX = 64 * 1024;
const LINE_CHARACTERS_MAX = 512;

/** One line; empty when it said nothing, or when the journal cannot be read. */
export async function lastOutput(unit: string): Promise<string> {
  // The journal writes what it was sent a little later.
  await runBriefly("journalctl", ["--sync"], SYNC_TIMEOUT_MS);
  const args = ["--quiet", "--no-pager", "--output=cat", `--lines=${LINES_MAX}`, `_SYSTEMD_UNIT=${unit}`];
  const end = await runBriefly("journalctl", args, READ_TIMEOUT_MS, OUTPUT_BYTES_MAX);
  if (end.kind !== "ended") return "";
  const line = end.stdout.replace(/[\s\0-\x1f\x7f]+/g, " ").trim();
  return line.length > LINE_CHARACTERS_MAX ? `...${line.slice(-LINE_CHARACTERS_MAX)}` : line;
}
