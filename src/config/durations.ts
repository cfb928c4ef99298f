/**
 * Durations as people write them: `"30s"`, `"1.5h"`. They end here; inside the agent a duration is a number of milliseconds.
 *
 * The unit is required, as nobody remembers whether a bare 30 meant seconds. `ms` would take `"30"` as 30 and answer
 * `undefined` to what it does not know, so the text is validated before it is called.
 * @module
 */

import ms, { type StringValue } from "ms";

const DURATION = /^\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h|d)$/;

/** @returns milliseconds; undefined when `text` is not a number with one of the units ms, s, m, h, d */
export function parseDuration(text: string): number | undefined {
  return isDuration(text) ? ms(text) : undefined;
}

function isDuration(text: string): text is StringValue {
  return DURATION.test(text);
}
