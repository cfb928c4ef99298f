/**
 * Whether the host shuts down, as its service manager says.
 *
 * Where systemd does not run, or does not answer in time, nobody says so, and the host counts as up: a manager that hangs
 * must not keep dead VMs down.
 * @module
 */

import { existsSync } from "node:fs";
import type { Host } from "../../ports/host.ts";
import { runBriefly } from "../process/brief_program.ts";

const ANSWER_MS_MAX = 2000;
/** A start that is decided within this time of an answer relies on it. */
const CACHE_MS = 1000;

export interface SystemHostOptions {
  /** Exists where PID 1 is systemd. @default "/run/systemd/system" */
  readonly runtimePath?: string;
  /** @default "systemctl" */
  readonly systemctl?: string;
}

export function createSystemHost(options: SystemHostOptions = {}): Host {
  const { runtimePath = "/run/systemd/system", systemctl = "systemctl" } = options;
  let answer: Promise<boolean> = Promise.resolve(false);
  let answerUntil = Number.NEGATIVE_INFINITY;
  return {
    async isShuttingDown() {
      if (performance.now() < answerUntil) return await answer;
      if (!existsSync(runtimePath)) return false;
      answerUntil = performance.now() + CACHE_MS;
      answer = isStopping(systemctl);
      return await answer;
    },
  };
}

/** It exits with an error in every state but `running`, so only its words count. */
async function isStopping(systemctl: string): Promise<boolean> {
  const end = await runBriefly(systemctl, ["is-system-running"], ANSWER_MS_MAX);
  return end.kind === "ended" && end.stdout.trim() === "stopping";
}
