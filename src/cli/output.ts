/**
 * What the program says beside its log.
 * @module
 */

import { fstatSync } from "node:fs";
import process from "node:process";
import { isJournal, journalPrefix } from "../observability/journal_stream.ts";

export interface Output {
  readonly print: (text: string) => void;
  /** One line on stderr; under the journal with the priority of an error. */
  readonly complain: (line: string) => void;
}

export function processOutput(): Output {
  const prefix = isJournal(process.env["JOURNAL_STREAM"], fstatSync(2, { bigint: true })) ? journalPrefix("ERROR") : "";
  return {
    print: (text) => process.stdout.write(text),
    complain: (line) => process.stderr.write(`${prefix}metald: ${line}\n`),
  };
}
