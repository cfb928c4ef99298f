/**
 * The host's clocks.
 *
 * The monotonic origin is the boot of the host, so that instants written down by one run of the agent mean the same to
 * the next. The runtime's own clocks start with the process (`process.hrtime` too, in Bun and in Deno), therefore
 * `/proc/uptime` is read once and the runtime's clock is added to it. Two runs agree within the 10 ms in which
 * `/proc/uptime` counts. A host that is suspended while the agent runs falls behind its own uptime by that time.
 * @module
 */

import { readFileSync } from "node:fs";
import { monotonicMs, wallMs } from "../../domain/time.ts";
import type { Clock } from "../../ports/clock.ts";

/** `setTimeout` takes a longer delay for 1 ms. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

export interface SystemClockOptions {
  /** @default "/proc/uptime" */
  readonly uptimePath?: string;
}

/** @throws {Error} When the uptime cannot be read: without it no instant means anything. */
export function createSystemClock(options: SystemClockOptions = {}): Clock {
  const originMs = readUptimeMs(options.uptimePath ?? "/proc/uptime") - performance.now();
  const monotonic = () => monotonicMs(originMs + performance.now());
  return {
    monotonic,
    wall: () => wallMs(Date.now()),
    schedule(at, callback) {
      let cancel = () => {};
      const arm = () => {
        const delayMs = at - monotonic();
        if (delayMs <= 0) {
          const immediate = setImmediate(callback);
          cancel = () => clearImmediate(immediate);
          return;
        }
        // Timers may fire a little early, and long ones come in pieces: look at the clock again before calling.
        const timeout = setTimeout(
          () => (at <= monotonic() ? callback() : arm()),
          Math.min(Math.ceil(delayMs), TIMEOUT_MS_MAX),
        );
        cancel = () => clearTimeout(timeout);
      };
      arm();
      return () => cancel();
    },
  };
}

function readUptimeMs(path: string): number {
  const text = readFileSync(path, "latin1");
  const uptimeMs = Number(text.split(" ")[0]) * 1000;
  if (!(uptimeMs > 0)) {
    throw new Error(`Cannot tell time as ${path} must begin with seconds: current value is ${JSON.stringify(text)}`);
  }
  return uptimeMs;
}
