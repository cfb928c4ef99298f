/**
 * Work on one disk, which may cease to answer: a file server that went away keeps a call waiting without end.
 *
 * Such a call keeps a thread as well, and a runtime has few of them (Bun as many as there are cores) for everything. So only a
 * few calls are made of one disk at once, nobody waits longer than `timeoutMs`, and while a call has overstayed that, others are
 * refused at once and not queued behind it. Work on one path is done in the order of the calls.
 *
 * Who was told that his work failed must not find it done later: work asks `isLate` before the step that shows.
 * @module
 */

import { BoundedPool } from "../../async/bounded_pool.ts";

export interface DiskQueueOptions {
  readonly timeoutMs: number;
  readonly callsMax: number;
}

export interface DiskQueue {
  /** @throws {Error} what `work` throws, or that the disk does not answer in time */
  run<T>(path: string, work: (isLate: () => boolean) => Promise<T>): Promise<T>;
}

export function createDiskQueue({ timeoutMs, callsMax }: DiskQueueOptions): DiskQueue {
  const pool = new BoundedPool(callsMax);
  const last = new Map<string, Promise<unknown>>();
  let overdue = 0;
  const silence = () => new Error(`no answer within ${timeoutMs / 1000} s`);

  function inOrder<T>(path: string, work: () => Promise<T>): Promise<T> {
    const turn = (last.get(path) ?? Promise.resolve()).then(() => pool.run(work));
    const settled = turn.then(forget, forget);
    last.set(path, settled);
    function forget(): void {
      if (last.get(path) === settled) last.delete(path);
    }
    return turn;
  }

  return {
    async run(path, work) {
      if (overdue > 0) throw silence();
      let isLate = false;
      let isRunning = false;
      const turn = inOrder(path, async () => {
        if (isLate) throw silence();
        isRunning = true;
        try {
          return await work(() => isLate);
        } finally {
          if (isLate) overdue -= 1;
        }
      });
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          isLate = true;
          if (isRunning) overdue += 1;
          reject(silence());
        }, timeoutMs);
      });
      try {
        return await Promise.race([turn, late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
