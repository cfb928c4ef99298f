/**
 * Thousands of processes that do nothing, as VMs for the agent to watch: `sleep` under marks of our choice.
 *
 * A shell starts them, keeps them in its process group, reaps them as an init would, and ends the whole group when its standard
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

const SCRIPT = `
exec 3<&0
count=$1
while [ "$count" -gt 0 ]; do
  IFS= read -r id
  IFS= read -r title
  ( export METALD_VM_ID="$id"; exec -a "$title" /bin/sleep ${LIFE_SECONDS} ) >/dev/null &
  echo "$id $!"
  count=$((count - 1))
done
{ read -r -u 3 line; kill -KILL 0; } >/dev/null &
wait
`;

export async function startSleepers(sleepers: readonly SleeperOptions[]): Promise<Sleepers> {
  const child = spawn("/bin/bash", ["-c", SCRIPT, "sleepers", String(sleepers.length)], {
    detached: true,
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const exited = once(child, "exit");
  child.stdin.write(sleepers.map(({ id, title = "sleep" }) => `${id}\n${title}\n`).join(""));
  const pids = new Map<string, number>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [id = "", pid] = line.split(" ");
    pids.set(id, Number(pid));
  });
  await waitFor("all sleepers run", () => child.exitCode !== null || pids.size === sleepers.length);
  return {
    pids,
    async end() {
      child.stdin.end();
      await exited;
    },
  };
}
