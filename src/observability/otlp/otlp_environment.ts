/**
 * The standard variables of OpenTelemetry, read once.
 *
 * An empty variable is an unset one, and a value that cannot be meant is reported and ignored:
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 * @module
 */

export type Environment = Readonly<Record<string, string | undefined>>;

export type Signal = "METRICS" | "TRACES";

/** A timer that is asked for more fires at once. */
const MILLISECONDS_MAX = 2 ** 31 - 1;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_TEXT = /^[\t\x20-\x7e]*$/;

export class OtlpEnvironment {
  readonly #environment: Environment;
  /** One line for each value that was ignored. */
  readonly complaints: string[] = [];

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Undefined: unset or empty. */
  text(name: string): string | undefined {
    const value = this.#environment[name]?.trim();
    return value === "" ? undefined : value;
  }

  /** The signal's own variable, else the general one. */
  ofSignal<T>(signal: Signal, suffix: string, read: (name: string) => T | undefined): T | undefined {
    return read(`OTEL_EXPORTER_OTLP_${signal}_${suffix}`) ?? read(`OTEL_EXPORTER_OTLP_${suffix}`);
  }

  /** Only `true`, in any case. */
  isTrue(name: string): boolean {
    return this.oneOf(name, "true", "false") === "true";
  }

  /** A whole number above 0. */
  milliseconds(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d{1,10}$/.test(text) ? Number(text) : 0;
    if (value > 0 && value <= MILLISECONDS_MAX) return value;
    return this.#ignored(name, `it must be a whole number of milliseconds from 1 to ${MILLISECONDS_MAX}`, text);
  }

  /** A number from 0 to 1. */
  ratio(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    return value >= 0 && value <= 1 ? value : this.#ignored(name, "it must be a number from 0 to 1", text);
  }

  oneOf<const Word extends string>(name: string, ...words: readonly Word[]): Word | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const known = words.find((word) => word === text.toLowerCase());
    return known ?? this.#ignored(name, `it must be one of ${words.join(", ")}`, text);
  }

  /** A user, a password or a token may stand in it, so it is not shown. */
  url(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined || isHttpUrl(text)) return text;
    return this.#ignoredSecret(name, "it must be a URL with http or https");
  }

  /** Pairs that can be headers of a request. */
  headers(name: string): Record<string, string> | undefined {
    const pairs = this.pairs(name);
    if (pairs === undefined) return undefined;
    const areHeaders = Object.entries(pairs).every(([key, value]) => HEADER_NAME.test(key) && HEADER_TEXT.test(value));
    return areHeaders ? pairs : this.#ignoredSecret(name, "it must be names and printable texts of headers");
  }

  /** `key=value,key=value`, with percent encoding in the values. One pair that does not parse voids them all. */
  pairs(name: string): Record<string, string> | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const pairs: Record<string, string> = {};
    for (const pair of text.split(",").filter((part) => part.trim() !== "")) {
      const [key = "", value] = splitOnce(pair, "=");
      const decoded = value === undefined ? undefined : decodedText(value.trim());
      // What stands before the sign may be the secret as well, where the sign is missing or another was meant.
      if (key.trim() === "" || decoded === undefined) {
        return this.#ignoredSecret(name, "it must be key=value pairs with percent encoding");
      }
      pairs[decodedText(key.trim()) ?? key.trim()] = decoded;
    }
    return pairs;
  }

  #ignoredSecret(name: string, rule: string): undefined {
    this.complaints.push(`Cannot use ${name} as ${rule}: current value is (not shown)`);
    return undefined;
  }

  #ignored(name: string, rule: string, value: string): undefined {
    this.complaints.push(`Cannot use ${name} as ${rule}: current value is ${JSON.stringify(value)}`);
    return undefined;
  }
}

export function isHttpUrl(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text);
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

function decodedText(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
