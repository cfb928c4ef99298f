/**
 * The identity of a process that is known by its pid only: of this one, or of a child that cannot have been reaped.
 * @module
 */

import type { ProcessIdentity } from "../../domain/process.ts";
import { readBootId } from "./boot_id.ts";
import { createProcFileReader } from "./proc_file.ts";
import { readStat } from "./read_process.ts";

/** Undefined when there is no such process, or when it cannot be read. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readStat(createProcFileReader(), `/proc/${pid}`);
    return stat === undefined ? undefined : { bootId: readBootId(), pid, startTicks: stat.startTicks };
  } catch {
    return undefined;
  }
}
