/**
 * Deno's synchronous drain, from the core behind its internal symbol: undocumented, so its absence is an error that the
 * caller answers with the slow way.
 * @module
 */

import type { Drain } from "./drain.ts";

interface DenoGlobal {
  readonly internal: symbol;
  readonly [internal: symbol]: { readonly core?: { readonly runMicrotasks?: () => void } } | undefined;
}

declare const Deno: DenoGlobal;

export function load(): Promise<Drain> {
  const runMicrotasks = Deno[Deno.internal]?.core?.runMicrotasks;
  if (runMicrotasks === undefined) throw new Error("Cannot drain as Deno shows no core: current value is undefined");
  return Promise.resolve(() => {
    runMicrotasks();
    return undefined;
  });
}
