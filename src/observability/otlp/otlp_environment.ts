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
    return this.text(name)?.toLowerCase() === "true";
  }

  /** A whole number above 0. */
  milliseconds(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d{1,10}$/.test(text) ? Number(text) : 0;
    return value > 0 ? value : this.#ignored(name, "it must be a whole number of milliseconds above 0", text);
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

  url(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined || isHttpUrl(text)) return text;
    return this.#ignored(name, "it must be a URL with http or https", text);
  }

  /** `key=value,key=value`, with percent encoding in the values. One pair that does not parse voids them all. */
  pairs(name: string): Record<string, string> | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const pairs: Record<string, string> = {};
    for (const pair of text.split(",").filter((part) => part.trim() !== "")) {
      const [key = "", value] = splitOnce(pair, "=");
      const decoded = value === undefined ? undefined : decodedText(value.trim());
      // The value may be a secret, so it is not shown.
      if (key.trim() === "" || decoded === undefined) {
        return this.#ignored(name, "it must be key=value pairs with percent encoding", `${key.trim()}=...`);
      }
      pairs[decodedText(key.trim()) ?? key.trim()] = decoded;
    }
    return pairs;
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
