/**
 * The line of `/proc/<pid>/stat`: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 *
 * The second field is the process's own choice and may hold spaces and parentheses, so the fields are counted from the
 * last closing parenthesis: whatever a process calls itself, it cannot move them.
 * @module
 */

import type { ProcessState } from "../../domain/process.ts";

/** Ticks a second in every time of `/proc`: `USER_HZ` is 100 on all architectures that run a VMM. */
export const TICKS_PER_SECOND = 100;

const STATES = "RSDTtZXIPWK";
const KERNEL_THREAD_FLAG = 0x00200000;

export interface Stat {
  readonly state: ProcessState;
  readonly parentPid: number;
  readonly sessionId: number;
  readonly kernelThread: boolean;
  readonly cpuMs: number;
  readonly threads: number;
  readonly startTicks: number;
  /** False once an ending process has given its memory back: its arguments and environment are lost, its files not yet. */
  readonly hasMemory: boolean;
  /**
   * The name, and where the code, the arguments and the environment begin and end in memory. It changes with every
   * `exec`, as addresses are random. Undefined for those who may not look, and between the moment an `exec` drops the old program and the moment
   * the new one has its arguments.
   */
  readonly program: string | undefined;
}

/** Undefined when the text is not a stat line. */
export function parseStat(text: string): Stat | undefined {
  const nameEnd = text.lastIndexOf(")");
  const fields = text.slice(nameEnd + 2).split(" ");
  const field = (number: number) => Number(fields[number - 3]);
  const state = fields[0];
  const startTicks = field(22);
  if (!isState(state) || !Number.isSafeInteger(startTicks)) return undefined;
  return {
    state,
    parentPid: field(4),
    sessionId: field(6),
    kernelThread: (field(9) & KERNEL_THREAD_FLAG) !== 0,
    cpuMs: (field(14) + field(15)) * (1000 / TICKS_PER_SECOND),
    threads: field(20),
    startTicks,
    hasMemory: field(23) > 0,
    // Fields 48 to 51 and 26.
    program:
      field(51) > 0
        ? `${text.slice(text.indexOf("("), nameEnd + 1)} ${fields.slice(45, 49).join(" ")} ${fields[23]}`
        : undefined,
  };
}

function isState(letter: string | undefined): letter is ProcessState {
  return letter !== undefined && letter.length === 1 && STATES.includes(letter);
}
