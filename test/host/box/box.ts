/**
 * A throw-away host with a real systemd as PID 1 and a real journal, on this machine, in namespaces of its own.
 *
 * Its disk is an overlay, so it may be written and broken at will; it has a loopback device and no other network. It
 * ends with the test, even with one that is killed, and leaves neither a process nor a mount, a cgroup or a file:
 * holder.sh sees to that.
 *
 * What it cannot show: limits of memory and tasks are not enforced, the kernel is the machine's, and a service that gets a
 * `/proc` of its own (`ProtectProc=`, `ProtectControlGroups=`, ...) sees the machine's boot identity in it.
 * @module
 */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { waitFor } from "../wait.ts";
import { bareRoot } from "./bare_root.ts";
import { type Ended, type RunOptions, runProgram } from "./run_program.ts";

/** `host`: all that is installed on this machine. `bare`: a Debian with systemd and nothing it could do without. */
export type BoxRoot = "host" | "bare";

const HOLDER = fileURLToPath(new URL("holder.sh", import.meta.url));
const HOSTS = "/run/metald-test-hosts";
const UNIFIED = "/sys/fs/cgroup/unified";
const COMMAND_TIMEOUT_MS = 60_000;

const ENVIRONMENT = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "HOME=/root",
  "LANG=C.UTF-8",
  "TERM=dumb",
  "SYSTEMD_PAGER=",
  "SYSTEMD_COLORS=0",
];

/** Where cgroups of the second version are; a machine with both versions has them in a place of their own. */
export function cgroupMount(): string {
  return existsSync(`${UNIFIED}/cgroup.procs`) ? UNIFIED : "/sys/fs/cgroup";
}

export class Box {
  readonly #name: string;
  readonly #holder: ChildProcessByStdio<Writable, Readable, null>;
  #leaderPid = 0;
  #initPid = 0;
  #said = "";

  private constructor(name: string, lower: string) {
    this.#name = name;
    const args = ["--mount", "--propagation", "private", "sh", HOLDER, name, lower, cgroupMount()];
    // In a session of its own, so that what ends the test's terminal leaves it the time to clear away.
    this.#holder = spawn("unshare", args, { stdio: ["pipe", "pipe", "inherit"], detached: true });
    // Writing to a holder that has ended must not end the test: what follows will say that the host is gone.
    this.#holder.stdin.on("error", () => undefined);
    this.#holder.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#said += text;
    });
  }

  /** Resolves once systemd has started all that the host starts by itself. */
  static async boot({ root }: { readonly root: BoxRoot }): Promise<Box> {
    const lower = root === "host" ? "/" : await bareRoot();
    const box = new Box(`${process.pid}-${randomBytes(4).toString("hex")}`, lower);
    try {
      await box.start();
      return box;
    } catch (error) {
      await box.down();
      throw error;
    }
  }

  /** PID 1 of the host, as this machine numbers it. */
  get initPid(): number {
    return this.#initPid;
  }

  /** The process that ends the host when this one ends. */
  get holderPid(): number {
    return this.#holder.pid ?? 0;
  }

  /** The host's cgroups, as a directory of this machine. */
  get cgroup(): string {
    return `${cgroupMount()}/metald-test-host-${this.#name}`;
  }

  /** Runs a program in the host, as its root from a login: in no unit. What it leaves running lives on. */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const { timeoutMs = COMMAND_TIMEOUT_MS } = options;
    // Ended inside, where its children are, and by ourselves only if that does not help.
    const limit = ["timeout", "--kill-after=2", `${timeoutMs / 1_000}`];
    const command = ["nsenter", "-t", `${this.#initPid}`, "-a", "env", "-i", ...ENVIRONMENT, ...limit, ...argv];
    return await runProgram(command, { ...options, timeoutMs: timeoutMs + 5_000 });
  }

  /** As `run`, for what must succeed. @returns what it printed, without the last line's end */
  async output(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(argv, options);
    if (code === 0) return stdout.replace(/\n$/, "");
    throw new Error(`Cannot go on as ${argv.join(" ")} must end with 0: current value is ${code}\n${stdout}${stderr}`);
  }

  /** A POSIX shell's script. */
  async shell(script: string): Promise<string> {
    return await this.output(["/bin/sh", "-euc", script]);
  }

  async write(path: string, text: string, mode = "644"): Promise<void> {
    const script = 'umask 077; mkdir -p "$(dirname "$1")"; cat >"$1.tmp"; chmod "$2" "$1.tmp"; mv "$1.tmp" "$1"';
    await this.output(["/bin/sh", "-euc", script, "write", path, mode], { input: text });
  }

  /** Copies what is below a directory of this machine to below one of the host. */
  async put(from: string, to: string): Promise<void> {
    const packed = spawn("tar", ["-C", from, "-cf", "-", "."], { stdio: ["ignore", "pipe", "inherit"] });
    const unpack = 'mkdir -p "$1" && tar --no-same-owner -C "$1" -xf -';
    await this.output(["/bin/sh", "-euc", unpack, "put", to], { input: packed.stdout });
  }

  /** The journal's answer to `journalctl` with these arguments, with all that was written before the question. */
  async journal(...args: string[]): Promise<string> {
    await this.output(["journalctl", "--sync"]);
    const { stdout } = await this.run(["journalctl", "--no-pager", "--quiet", ...args]);
    return stdout;
  }

  /** One property of a unit. */
  async property(unit: string, name: string): Promise<string> {
    return await this.output(["systemctl", "show", "--value", "--property", name, unit]);
  }

  /** An orderly reboot, as `systemctl reboot` does it. The disk stays. */
  async reboot(): Promise<void> {
    await this.run(["systemctl", "reboot"]);
    await this.#hasEnded("the host goes down");
    await this.start();
  }

  /** As when the power fails; the disk stays as it is. `start` boots again. */
  async cutPower(): Promise<void> {
    process.kill(this.#initPid, "SIGKILL");
    await this.#hasEnded("the host ends at once");
  }

  async start(): Promise<void> {
    this.#said = "";
    this.#holder.stdin.write("boot\n");
    this.#leaderPid = Number(
      await waitFor("the host's first process", () => {
        if (this.#holder.exitCode !== null) throw new Error("Cannot boot a host as its holder has ended");
        return /^started (\d+)$/m.exec(this.#said)?.[1];
      }),
    );
    this.#initPid = await waitFor(
      "systemd is PID 1",
      () => {
        if (!isRunning(this.#leaderPid)) throw new Error(`Cannot boot a host\n${this.#bootLog()}`);
        const child = childrenOf(this.#leaderPid)[0];
        return child !== undefined && readIfThere(`/proc/${child}/comm`).trim() === "systemd" ? child : undefined;
      },
      () => this.#bootLog(),
    );
    await waitFor("systemd takes orders", async () => {
      const { code } = await this.run(["test", "-S", "/run/systemd/private"]);
      return code === 0;
    });
    const state = await this.run(["systemctl", "is-system-running", "--wait"]);
    if (state.stdout.trim() === "running") return;
    const failed = await this.run(["systemctl", "--failed", "--no-pager"]);
    throw new Error(`Cannot use a host that is ${state.stdout.trim()}\n${failed.stdout}${state.stderr}`);
  }

  /** Ends the host at once and removes all of it. */
  async down(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const ended = once(this.#holder, "exit");
    this.#holder.stdin.end();
    const [code] = await ended;
    if (code !== 0) throw new Error(`Cannot remove a host: its holder ended with ${code}`);
  }

  #bootLog(): string {
    return readIfThere(`${HOSTS}/${this.#name}/boot.log`);
  }

  async #hasEnded(what: string): Promise<void> {
    await waitFor(what, () => !isRunning(this.#leaderPid));
  }
}

/** Boots a host for `body` and removes it, however that ends. */
export async function withBox(root: BoxRoot, body: (box: Box) => Promise<void>): Promise<void> {
  const box = await Box.boot({ root });
  try {
    await body(box);
  } finally {
    await box.down();
  }
}

function childrenOf(pid: number): readonly number[] {
  return readIfThere(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean).map(Number);
}

/** Neither gone nor a zombie. */
function isRunning(pid: number): boolean {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat !== "" && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
