/** Where events go: log lines and metrics. It never blocks and never throws.
 * @module
 */

import type { ReliabilityEvent } from "../domain/event.ts";

export type Report = (event: ReliabilityEvent) => void;
