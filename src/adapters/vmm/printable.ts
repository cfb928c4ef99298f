/**
 * Foreign bytes made fit for one field of one log line.
 *
 * What a broken or hostile VMM sends must neither break a line in two nor fill the journal, and a person still wants to
 * see how it begins.
 * @module
 */

const CHARACTERS_MAX = 160;

/**
 * @returns at most 160 characters, without line breaks, control characters, or the marks of undecodable bytes
 */
export function printable(text: string): string {
  const head = text
    .slice(0, CHARACTERS_MAX * 2)
    .replace(/[\p{C}\p{Z}\uFFFD]+/gu, " ")
    .trim();
  return head.length <= CHARACTERS_MAX && text.length <= CHARACTERS_MAX * 2
    ? head
    : `${head.slice(0, CHARACTERS_MAX)}...`;
}
