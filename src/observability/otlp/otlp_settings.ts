/**
 * What an operator can say about the push to a collector, in the file or in the standard variables.
 * @module
 */

/** What is absent was not said. */
export interface OtlpSettings {
  /** A base URL: `v1/metrics` and `v1/traces` are appended. */
  readonly endpoint?: string | undefined;
  /** Used as it is. */
  readonly metricsEndpoint?: string | undefined;
  /** Used as it is. */
  readonly tracesEndpoint?: string | undefined;
  readonly metrics?: boolean | undefined;
  readonly traces?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Of one export with its retries. */
  readonly timeoutMs?: number | undefined;
  readonly compression?: "gzip" | "none" | undefined;
  /** Paths of PEM files. */
  readonly certificate?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  /** Between two exports of metrics. */
  readonly intervalMs?: number | undefined;
  readonly serviceName?: string | undefined;
  readonly resourceAttributes?: Readonly<Record<string, string>> | undefined;
  /** The share of traces that is exported, 0 to 1. */
  readonly sampleRatio?: number | undefined;
  readonly healthCheckSpans?: "failures" | "all" | undefined;
}

export interface TextfileSettings {
  /** Ends in `.prom`; undefined: no file is written. */
  readonly path: string | undefined;
  readonly intervalMs: number;
}
