/**
 * Which values may be secrets, and how they are left out of what is said.
 *
 * Errors end in the journal and in tickets, where more people read them than may read the file. So what stands below certain keys is
 * named by its kind alone, whatever is wrong with it, and so is a value whose key we do not know.
 * @module
 */

import { parseDuration } from "./durations.ts";
import { type Document, isDocument } from "./key_paths.ts";

export const NOT_SHOWN = "(not shown)";

const HEADERS = "telemetry.otlp.headers";
/** A user, a password and a token may stand in a URL. */
const URLS = ["endpoint", "metrics_endpoint", "traces_endpoint"].map((name) => `telemetry.otlp.${name}`);
const SECRETS = [HEADERS, ...URLS, "launch.env", "launch.properties"];

const KEY_LENGTH_MAX = 60;

/** Whether a secret may stand at the key, below it, or in a text in its place. @param key dotted */
export function mayHoldSecret(key: string): boolean {
  return SECRETS.some((secret) => key === "" || isWithin(key, secret) || isWithin(secret, key));
}

/** A value that no error needs to hide, whatever its key was meant to be. */
export function isHarmless(value: unknown): boolean {
  return value === undefined || value === null || typeof value === "boolean" || isEmpty(value);
}

/** A value that is harmless where its key is known to hold no secret, if only by its likeness to another. */
export function isPlain(value: unknown): boolean {
  return typeof value === "number" || (typeof value === "string" && parseDuration(value) !== undefined);
}

export function hidden(value: unknown): string {
  return `(${kindOf(value)}, not shown)`;
}

/** A key up to where it no longer looks like one: `TOKEN=...`, since people mistake the one for the other. */
export function shownKey(key: string): string {
  const plain = /^[\w.-]*/.exec(key)?.[0].slice(0, KEY_LENGTH_MAX) ?? "";
  return plain === key ? key : `${plain}...`;
}

/** The document without the secrets that a valid one holds: headers, and parts of URLs. */
export function withoutSecrets(document: Document, key = ""): Document {
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => {
      const path = key === "" ? name : `${key}.${name}`;
      if (isDocument(value)) return [name, withoutSecrets(value, path)];
      if (isWithin(path, HEADERS)) return [name, NOT_SHOWN];
      return [name, URLS.includes(path) && typeof value === "string" ? withoutUrlSecrets(value) : value];
    }),
  );
}

/** Where a URL points to, without user, password, query and fragment. */
export function withoutUrlSecrets(text: string): string {
  const { protocol, host, pathname, username, password, search, hash } = new URL(text);
  const user = username === "" && password === "" ? "" : `${NOT_SHOWN}@`;
  return `${protocol}//${user}${host}${pathname}${search === "" && hash === "" ? "" : `?${NOT_SHOWN}`}`;
}

function isWithin(key: string, outer: string): boolean {
  return key === outer || key.startsWith(`${outer}.`) || key.startsWith(`${outer}[`);
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isDocument(value) && Object.keys(value).length === 0;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return "a text";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
