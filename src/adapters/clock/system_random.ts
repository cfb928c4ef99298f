/**
 * The runtime's chance. It spreads timers and picks samples; nothing secret is made of it.
 * @module
 */

import type { Random } from "../../ports/random.ts";

export function createSystemRandom(): Random {
  return { next: () => Math.random() };
}
