/**
 * Reads a line of logfmt back, written from the rules of the format and sharing nothing with the writer.
 * @module
 */

/** The pairs of a line, in their order. @throws {SyntaxError} on anything that is not logfmt. */
export function readLogfmt(line: string): [key: string, value: string][] {
  const pairs: [string, string][] = [];
  let at = 0;
  while (at < line.length) {
    const equals = line.indexOf("=", at);
    const key = line.slice(at, equals);
    if (equals < 0 || !/^[a-z_]+$/.test(key)) throw new SyntaxError(`no key at ${at} of ${line}`);
    at = equals + 1;
    let value = "";
    if (line[at] === '"') {
      const end = closingQuote(line, at + 1);
      value = JSON.parse(line.slice(at, end + 1));
      at = end + 1;
    } else {
      const space = line.indexOf(" ", at);
      const end = space < 0 ? line.length : space;
      value = line.slice(at, end);
      if (value === "" || /["=]/.test(value)) throw new SyntaxError(`a bare value needs quotes at ${at} of ${line}`);
      at = end;
    }
    pairs.push([key, value]);
    if (at === line.length) break;
    if (line[at] !== " ") throw new SyntaxError(`no space at ${at} of ${line}`);
    at++;
    if (at === line.length) throw new SyntaxError(`a space ends ${line}`);
  }
  return pairs;
}

function closingQuote(line: string, from: number): number {
  for (let at = from; at < line.length; at++) {
    if (line[at] === "\\") at++;
    else if (line[at] === '"') return at;
  }
  throw new SyntaxError(`a quote is not closed in ${line}`);
}
