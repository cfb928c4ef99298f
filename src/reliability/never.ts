/**
 * The instant that does not come: what is due then is not due.
 * @module
 */

export const NEVER = Number.POSITIVE_INFINITY;
