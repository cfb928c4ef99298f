/**
 * The variables that systemd gives to the service from a file, as far as a path needs it: a name and a value on each line, in
 * quotes or not, comments after `#` or `;`.
 * https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#EnvironmentFile=
 * @module
 */

/** Of a name that is given twice the last value counts. */
export function parseEnvironmentFile(text: string): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.replace(/\\\n/g, "").split("\n")) {
    const assignment = /^\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line);
    const [, name, value] = assignment ?? [];
    if (name !== undefined && value !== undefined) variables.set(name, unquoted(value));
  }
  return variables;
}

function unquoted(value: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(value);
  return quoted?.[2] ?? value;
}
