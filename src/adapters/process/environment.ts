/**
 * Finds single variables in the bytes of `/proc/<pid>/environ`.
 *
 * It is searched as bytes: environments are long, the markers are few, and most processes have none.
 * @module
 */

/** The value of one variable; the first one counts, as it does for `getenv`. */
export function variableOf(environment: Buffer, name: string): string | undefined {
  const key = `${name}=`;
  for (let at = environment.indexOf(key); at >= 0; at = environment.indexOf(key, at + 1)) {
    if (at > 0 && environment[at - 1] !== 0) continue;
    const end = environment.indexOf(0, at);
    return environment.toString("utf8", at + key.length, end < 0 ? environment.length : end);
  }
  return undefined;
}
