/**
 * Makes any text safe to stand in one line of a log: bounded, and free of characters that move a terminal's cursor, end
 * the line or hide.
 *
 * Values come from records, sockets and programs that we do not control; a newline in one of them would forge a line.
 * @module
 */

/** Of one value, in UTF-16 units. */
export const VALUE_LENGTH_MAX = 1_000;

/** Control, format, unassigned and private characters, lone surrogates, line and paragraph separators. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Cuts a long value and says how much is missing. A surrogate pair is never split. */
export function bounded(value: string): string {
  if (value.length <= VALUE_LENGTH_MAX) return value;
  const last = value.charCodeAt(VALUE_LENGTH_MAX - 1);
  const end = last >= 0xd800 && last <= 0xdbff ? VALUE_LENGTH_MAX - 1 : VALUE_LENGTH_MAX;
  return `${value.slice(0, end)}... (${value.length - end} more)`;
}

/** A JSON string of printable characters only: what every reader of logfmt and of JSON takes. */
export function quoted(value: string): string {
  return escapeUnprintable(JSON.stringify(value));
}

/** For a line of JSON: what it means stays. */
export function escapeUnprintable(line: string): string {
  return line.replace(UNPRINTABLE, escaped);
}

/** For a line that a person reads. */
export function blankUnprintable(line: string): string {
  return line.replace(UNPRINTABLE, " ");
}

function escaped(character: string): string {
  let text = "";
  for (let at = 0; at < character.length; at++) {
    text += `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
  }
  return text;
}
