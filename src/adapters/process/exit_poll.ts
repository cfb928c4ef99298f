/**
 * Notices the end of processes by looking at them in turn.
 *
 * The number of looks a second is bounded and not the time between two looks at one process: 100 looks a second are
 * 0.2 % of a core whether ten processes are watched or ten thousand, which are then noticed later.
 * @module
 */

import type { ProcessIdentity } from "../../domain/process.ts";
import type { ProcessEvents } from "../../ports/process_events.ts";
import type { ReadProcFile } from "./proc_file.ts";
import { readStat } from "./read_process.ts";
import { liveTasks } from "./tasks.ts";

const TURN_MS = 250;
const LOOKS_PER_TURN = 25;

interface Watched {
  readonly identity: ProcessIdentity;
  readonly onExit: () => void;
}

/** A process that is dead already is reported in the next turn of the event loop. */
export function createExitPoll(read: ReadProcFile): ProcessEvents["watch"] {
  /** In the order of their next look: the oldest look first. */
  const queue = new Set<Watched>();
  let timer: ReturnType<typeof setInterval> | undefined;

  const forget = (watched: Watched) => {
    const known = queue.delete(watched);
    if (queue.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
    return known;
  };
  const look = (watched: Watched) => {
    if (!queue.has(watched)) return;
    if (seemsDead(read, watched.identity)) {
      forget(watched);
      watched.onExit();
      return;
    }
    queue.delete(watched);
    queue.add(watched);
  };
  const turn = () => {
    for (const watched of [...firstOf(queue, LOOKS_PER_TURN)]) look(watched);
  };

  return (identity, onExit) => {
    const watched = { identity, onExit };
    queue.add(watched);
    if (timer === undefined) {
      timer = setInterval(turn, TURN_MS);
      timer.unref();
    }
    setImmediate(() => look(watched));
    return () => void forget(watched);
  };
}

function* firstOf<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left <= 0) return;
    left -= 1;
    yield item;
  }
}

function seemsDead(read: ReadProcFile, identity: ProcessIdentity): boolean {
  const path = `/proc/${identity.pid}`;
  try {
    const stat = readStat(read, path);
    if (stat === undefined || stat.startTicks !== identity.startTicks) return true;
    return (stat.state === "Z" || stat.state === "X") && liveTasks(read, path).length === 0;
  } catch {
    return false;
  }
}
