/**
 * Whether the file system under a directory answers at all, asked before it is read in a way that nothing could end.
 *
 * Small files are read by calls that hold up the whole agent, which is right where they take microseconds, and fatal where a file
 * server went away. So it is asked first, by a call that waits beside the agent. There is one such call at a time, whoever asks:
 * each that hangs keeps a thread. `statfs` goes to the server, where `stat` may be answered by what the kernel remembers.
 * @module
 */

import { statfs } from "node:fs/promises";

/** Resolves with whether there was an answer within `timeoutMs`; an error is one too. */
export type DiskProbe = (timeoutMs: number) => Promise<boolean>;

export function createDiskProbe(path: string): DiskProbe {
  let asked: Promise<true> | undefined;
  let isSilent = false;
  const answer = () => {
    asked = undefined;
    isSilent = false;
    return true as const;
  };
  return async (timeoutMs) => {
    if (isSilent) return false;
    asked ??= statfs(path).then(answer, answer);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<false>((resolve) => {
      timer = setTimeout(() => {
        isSilent = true;
        resolve(false);
      }, timeoutMs);
    });
    try {
      return await Promise.race([asked, silence]);
    } finally {
      clearTimeout(timer);
    }
  };
}
