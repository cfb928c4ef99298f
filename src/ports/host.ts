/**
 * The life of the host itself.
 * @module
 */

export interface Host {
  /** While it is, nothing is started. A host that cannot be asked is not shutting down. */
  isShuttingDown(): Promise<boolean>;
}
