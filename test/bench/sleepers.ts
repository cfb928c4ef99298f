/**
 * Thousands of processes that do nothing, as VMs for the agent to watch: `sleep` under marks of our choice.
 *
 * Shells start them, keep them in their process groups, reap them as an init would, and end the whole group when their standard
 * input closes. So none of them outlives the bench, not even one that is killed.
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { waitFor } from "../host/wait.ts";

export interface SleeperOptions {
  /** The VM that it claims to be. */
  readonly id: string;
  /**
   * Its first argument, as its command line shows it: `sleep` takes no other.
   * @default "sleep"
   */
  readonly title?: string;
}

export interface Sleepers {
  /** By id. */
  readonly pids: ReadonlyMap<string, number>;
  end(): Promise<void>;
}

/** Should everything else fail, they end by themselves. */
const LIFE_SECONDS = 3600;

/** A shell keeps a list of all it started, and gets slow with it. */
const SHELL_SLEEPERS_MAX = 500;

const SCRIPT = `
trap '' PIPE
exec 3<&0
count=$1
while [ "$count" -gt 0 ]; do
  IFS= read -r id && IFS= read -r title || kill -KILL 0
  ( export METALD_VM_ID="$id"; exec -a "$title" /bin/sleep ${LIFE_SECONDS} ) >/dev/null &
  echo "$id $!"
  count=$((count - 1))
done
{ read -r -u 3 line; kill -KILL 0; } >/dev/null &
wait
`;

export async function startSleepers(sleepers: readonly SleeperOptions[]): Promise<Sleepers> {
  const pids = new Map<string, number>();
  const ends: Sleepers["end"][] = [];
  const end = async (): Promise<void> => {
    await Promise.all(ends.map((endShell) => endShell()));
  };
  try {
    while (pids.size < sleepers.length) {
      ends.push(await startShell(sleepers.slice(pids.size, pids.size + SHELL_SLEEPERS_MAX), pids));
    }
  } catch (error) {
    await end();
    throw error;
  }
  return { pids, end };
}

/** @param pids gets theirs */
async function startShell(sleepers: readonly SleeperOptions[], pids: Map<string, number>): Promise<Sleepers["end"]> {
  const child = spawn("/bin/bash", ["-c", SCRIPT, "sleepers", String(sleepers.length)], {
    detached: true,
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const exited = once(child, "exit");
  const end = async (): Promise<void> => {
    child.stdin.end();
    await exited;
  };
  child.stdin.write(sleepers.map(({ id, title = "sleep" }) => `${id}\n${title}\n`).join(""));
  const all = pids.size + sleepers.length;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [id = "", pid] = line.split(" ");
    pids.set(id, Number(pid));
  });
  try {
    await waitFor("all sleepers run", () => child.exitCode !== null || pids.size === all);
  } catch (error) {
    await end();
    throw error;
  }
  return end;
}
