/**
 * The agent's log as an operator's tools read it: `key=value` pairs, quoted as JSON where needed.
 * @module
 */

export type LogLine = Readonly<Record<string, string>>;

const PAIR = /([a-z_][a-z0-9_.]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |$)/gy;

/** @returns undefined for what is no line of the agent's */
export function parseLogfmt(text: string): LogLine | undefined {
  const fields: Record<string, string> = {};
  let end = 0;
  for (const match of text.matchAll(PAIR)) {
    const [pair, key = "", value = ""] = match;
    fields[key] = value.startsWith('"') ? JSON.parse(value) : value;
    end = match.index + pair.length;
  }
  return end === text.length && "msg" in fields ? fields : undefined;
}
