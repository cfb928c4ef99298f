/**
 * Bun's synchronous drain: https://bun.com/reference/bun/jsc
 * @module
 */

import type { Drain } from "./drain.ts";

interface JscModule {
  readonly drainMicrotasks: () => void;
}

const JSC_MODULE = "bun:jsc";

export async function load(): Promise<Drain> {
  const jsc: JscModule = await import(JSC_MODULE);
  const drainMicrotasks = jsc.drainMicrotasks;
  return () => {
    drainMicrotasks();
    return undefined;
  };
}
