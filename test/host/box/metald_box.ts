/**
 * A throw-away host on which metald is installed, as its operator sees it.
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../wait.ts";
import { type Box, type BoxRoot, withBox } from "./box.ts";
import { putDistribution } from "./distribution.ts";
import type { Ended } from "./run_program.ts";

export const RECORDS = "/var/lib/metald/vms";
export const CONFIGURATION = "/etc/metald/config.jsonc";
export const HOLDS = "/var/lib/metald/state/holds";
const DISTRIBUTION = "/opt/metald";

/** Short intervals, so that a verdict takes a second or two rather than a minute. */
const QUICK = {
  health_check: { interval: "500ms", suspect_interval: "100ms", timeout: "400ms", start_grace: "1s" },
  recovery: {
    retry_interval: "200ms",
    max_retry_interval: "2s",
    start_timeout: "20s",
    shutdown_timeout: "20s",
    detection_interval: "1s",
    rearm_interval: "1h",
  },
  reconcile_interval: "1s",
};

/** Installs, with short intervals. @param recovery what else its configuration says of that */
export async function withMetald(
  root: BoxRoot,
  body: (box: Box) => Promise<void>,
  recovery: Readonly<Record<string, string | number>> = {},
): Promise<void> {
  await withBox(root, async (box) => {
    const configuration = { ...QUICK, recovery: { ...QUICK.recovery, ...recovery } };
    await box.write(CONFIGURATION, JSON.stringify(configuration), "600");
    await putDistribution(box, DISTRIBUTION);
    await mustInstall(box);
    await body(box);
  });
}

/** Changes the service by a drop-in, from its next start on. */
export async function dropIn(box: Box, text: string): Promise<void> {
  await box.write("/etc/systemd/system/metald.service.d/test.conf", text);
  await box.output(["systemctl", "daemon-reload"]);
}

/** Runs the installer of a distribution. */
export async function install(box: Box, args: readonly string[] = [], from = DISTRIBUTION): Promise<Ended> {
  return await box.run([`${from}/install.sh`, ...args]);
}

/** @returns what it said */
export async function mustInstall(box: Box, args: readonly string[] = [], from = DISTRIBUTION): Promise<string> {
  return await box.output([`${from}/install.sh`, ...args]);
}

/** `id` and `state` are filled in. */
export async function writeRecord(box: Box, id: string, record: Readonly<Record<string, unknown>>): Promise<void> {
  await box.write(`${RECORDS}/${id}.json`, JSON.stringify({ id, state: "running", ...record }), "600");
}

/** A VM that is a plain program. */
export const SLEEPING_VM = { vmm: "process", launch: { argv: ["/bin/sleep", "86400"] } };

/** As `<unit> <pid>-<start ticks>`, one for each process of a VM, as this machine numbers them. */
export function vmProcesses(box: Box): readonly string[] {
  return processesBelow(join(box.cgroup, "metald.slice/metald-vms.slice"));
}

/** The same for the agent itself. */
export function agentProcesses(box: Box): readonly string[] {
  return processesBelow(join(box.cgroup, "system.slice"), "metald.service");
}

/** Resolves once each of so many VMs has exactly one process. */
export async function runningVms(box: Box, count: number): Promise<readonly string[]> {
  return await waitFor(`${count} VMs run`, () => {
    const processes = vmProcesses(box);
    const units = new Set(processes.map((each) => each.split(" ")[0]));
    return processes.length === count && units.size === count ? processes : undefined;
  });
}

/** Resolves once the journal of metald has a line with all of these words, since the host booted. */
export async function waitForLog(box: Box, ...words: readonly string[]): Promise<string> {
  let journal = "";
  return await waitFor(
    `the journal says ${words.join(" ")}`,
    async () => {
      journal = await box.journal("-b", "-u", "metald", "-o", "cat");
      return journal.split("\n").find((line) => words.every((word) => line.includes(word)));
    },
    () => journal.slice(-8_000),
  );
}

/** The agent's pid on this machine. */
export function agentPid(box: Box): number {
  const [process] = agentProcesses(box);
  const pid = Number(process?.split(" ")[1]?.split("-")[0]);
  if (Number.isInteger(pid)) return pid;
  throw new Error("Cannot go on as the agent must run: current value is no process");
}

function processesBelow(directory: string, only?: string): readonly string[] {
  const units = namesIn(directory).filter((name) => (only === undefined ? name.endsWith(".service") : name === only));
  return units
    .flatMap((unit) => pidsIn(join(directory, unit)).map((pid) => `${unit} ${pid}-${startTicksOf(pid)}`))
    .sort();
}

function pidsIn(cgroup: string): readonly string[] {
  return textOf(join(cgroup, "cgroup.procs")).split("\n").filter(Boolean);
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    // No unit of this kind has been started yet.
    return [];
  }
}

function startTicksOf(pid: string): string {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
