/**
 * Whether our output goes to the journal, and how the journal is told a line's priority.
 *
 * `JOURNAL_STREAM` alone proves nothing, as children inherit it and may have been redirected; the manual asks for the
 * comparison made here: https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#%24JOURNAL_STREAM
 *
 * The priority is a prefix `<N>` that the journal takes off:
 * https://www.freedesktop.org/software/systemd/man/latest/sd-daemon.html
 * @module
 */

import type { LevelName } from "./log_record.ts";

export interface StreamIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** @param journalStream the variable's value: device and inode in decimal, `<dev>:<ino>` */
export function isJournal(journalStream: string | undefined, stream: StreamIdentity): boolean {
  return journalStream === `${stream.dev}:${stream.ino}`;
}

/** `LOG_CRIT`, `LOG_ERR`, `LOG_WARNING`, `LOG_INFO`, `LOG_DEBUG` of syslog(3). */
const PRIORITIES = { CRITICAL: 2, ERROR: 3, WARN: 4, INFO: 6, DEBUG: 7 } as const satisfies Record<LevelName, number>;

export function journalPrefix(levelName: LevelName): string {
  return `<${PRIORITIES[levelName]}>`;
}
