/**
 * What is said about a request: some hundred characters, without the request's secrets.
 *
 * A collector that refuses a token often repeats it, and its answer becomes a line of the log.
 * @module
 */

import type { SignalTarget } from "./otlp_plan.ts";

/** What is shorter stands in too many words to be a secret, and a text without it could not be read. */
const SECRET_LENGTH_MIN = 4;

const ERROR_LENGTH_MAX = 300;

/** @returns makes an error's text of what there is to say */
export function errorTextFor({ url, headers }: Pick<SignalTarget, "url" | "headers">): (said: string) => string {
  const { username, password, search, searchParams, hash } = url;
  const user = [username, password, ...[username, password].map(decoded)];
  const basic = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString("base64");
  const values = [...Object.values(headers), ...searchParams.values(), ...user, basic, search.slice(1), hash.slice(1)];
  const secrets = [...new Set(values.flatMap((value) => [value, ...value.split(/[\s:=&]+/)]))]
    .filter((secret) => secret.length >= SECRET_LENGTH_MIN)
    // The longest first, as a shorter one may be a part of it.
    .sort((a, b) => b.length - a.length);
  return (said) => {
    const text = secrets.reduce((rest, secret) => rest.replaceAll(secret, "(not shown)"), said);
    return text.length <= ERROR_LENGTH_MAX ? text : `${text.slice(0, ERROR_LENGTH_MAX)}...`;
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
