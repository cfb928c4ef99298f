/**
 * How the main process of a unit ended, as systemd remembers it.
 * @module
 */

import { setTimeout } from "node:timers/promises";
import type { ProcessIdentity } from "../../domain/process.ts";
import type { ExitStatus } from "../../ports/launcher.ts";
import type { ReadProcFile } from "../process/proc_file.ts";
import { readStat } from "../process/read_process.ts";
import { TICKS_PER_SECOND } from "../process/stat.ts";
import type { UnitState } from "../systemd/unit_state.ts";
import type { UnitStarter } from "./unit_outcome.ts";

/** From the death of a main process to systemd's knowing it. */
const NEWS_TIMEOUT_MS = 500;
const NEWS_POLL_MS = 10;
/** systemd counts in microseconds, the kernel in ticks. */
const START_ROUNDING_TICKS = 2;
/**
 * From the start of a main process to systemd's noting it: on a busy host, or where the unit itself says its pid late.
 */
const START_NOTICED_TICKS_MAX = 10 * TICKS_PER_SECOND;

/**
 * A death shows in `/proc` a little before systemd has taken notice of it, so its news is waited for. A unit that is
 * gone tells nothing, though all of its properties read as success.
 */
export async function exitOf(
  { manager, read, bootId }: UnitStarter,
  unit: string,
  process: ProcessIdentity,
): Promise<ExitStatus | undefined> {
  if (process.bootId !== bootId) return undefined;
  const until = performance.now() + NEWS_TIMEOUT_MS;
  for (;;) {
    const reading = await manager.show(unit);
    if (reading.kind === "unknown" || !wasMain(process, reading.state)) return undefined;
    if (reading.state.mainPid !== process.pid && reading.state.exit !== undefined) return reading.state.exit;
    if (isAlive(read, process) || performance.now() >= until) return undefined;
    await setTimeout(NEWS_POLL_MS);
  }
}

/**
 * Whether a process is the last main one of a unit. A pid is used again, so its start is compared too; an id of the
 * invocation would be known only to the agent that launched it. The two clocks agree for as long as the host does not
 * sleep.
 */
function wasMain({ pid, startTicks }: ProcessIdentity, { lastMainPid, lastMainStartTicks }: UnitState): boolean {
  const noticedAfter = lastMainStartTicks - startTicks;
  return lastMainPid === pid && noticedAfter >= -START_ROUNDING_TICKS && noticedAfter <= START_NOTICED_TICKS_MAX;
}

function isAlive(read: ReadProcFile, { pid, startTicks }: ProcessIdentity): boolean {
  try {
    const stat = readStat(read, `/proc/${pid}`);
    return stat?.startTicks === startTicks && stat.state !== "Z" && stat.state !== "X";
  } catch {
    return false;
  }
}
