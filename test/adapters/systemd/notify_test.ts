/**
 * What the service manager hears, on real datagram sockets: the ear is a program, as neither runtime can receive.
 * @module
 */

import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { createNotify, socketAddress } from "../../../src/adapters/systemd/notify.ts";
import { eventually } from "../process/host_processes.ts";

const LISTENER = `
import socket, sys
name = sys.argv[1]
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind("\\0" + name[1:] if name[0] == "@" else name)
print("listening", flush=True)
while True:
    print(repr(ear.recv(4096).decode()), flush=True)
`;

const needsPython = spawnSync("python3", ["--version"]).status === 0 ? false : "needs python3 (Debian: python3)";

/** Runs `check` with everything that was heard on `socket` so far, and ends the listener. */
async function whileListening(socket: string, check: (heard: () => readonly string[]) => Promise<void>): Promise<void> {
  const listener: ChildProcessByStdio<null, Readable, null> = spawn("python3", ["-c", LISTENER, socket], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  listener.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  try {
    await eventually(() => text.startsWith("listening\n"));
    await check(() => text.split("\n").slice(1, -1));
  } finally {
    const ended = new Promise((resolve) => listener.once("exit", resolve));
    listener.kill("SIGKILL");
    await ended;
  }
}

const NO_WATCHDOG = { watchdogUsec: undefined, watchdogPid: undefined };

for (const kind of ["path", "abstract"] as const) {
  test(`every message reaches the manager's ${kind} socket as one datagram`, { skip: needsPython }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "metald-notify-"));
    const socket = kind === "path" ? join(directory, "notify") : `@metald-test-${randomUUID()}`;
    try {
      await whileListening(socket, async (heard) => {
        const notify = await createNotify({ socket, watchdogUsec: "60000000", watchdogPid: String(process.pid) });
        notify.ready();
        notify.status("3 of 3 VMs\nhealthy");
        notify.alive();
        notify.alive();
        notify.stopping();
        await eventually(() => heard().includes("'STOPPING=1'"));
        assert.deepEqual(heard(), ["'READY=1'", "'STATUS=3 of 3 VMs healthy'", "'WATCHDOG=1'", "'STOPPING=1'"]);
      });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
}

test("nobody is told where no socket is named, and a socket that is gone throws nothing", async () => {
  for (const socket of [undefined, "", "vsock:2:1", `/nonexistent/${randomUUID()}`]) {
    const notify = await createNotify({ socket, watchdogUsec: "1000", watchdogPid: undefined });
    notify.ready();
    notify.status("well");
    notify.alive();
    notify.stopping();
  }
});

test("a name that is too long for a socket does not keep the agent from starting", async () => {
  const notify = await createNotify({ socket: `/${"x".repeat(200)}`, ...NO_WATCHDOG });
  notify.ready();
});

function recorder(taken: () => boolean = () => true) {
  const sent: string[] = [];
  const send = (message: string) => {
    sent.push(message);
    return taken();
  };
  return { sent, send };
}

test("the watchdog is fed by nothing but finished turns, and not where it is another process's", async () => {
  const cases = [
    { watchdogUsec: undefined, watchdogPid: undefined, fed: 0 },
    { watchdogUsec: "0", watchdogPid: undefined, fed: 0 },
    { watchdogUsec: "many", watchdogPid: undefined, fed: 0 },
    { watchdogUsec: "30000000", watchdogPid: "1", fed: 0 },
    { watchdogUsec: "30000000", watchdogPid: undefined, fed: 1 },
    { watchdogUsec: "30000000", watchdogPid: String(process.pid), fed: 1 },
  ];
  for (const { fed, ...watchdog } of cases) {
    const { sent, send } = recorder();
    const notify = await createNotify({ socket: "/run/notify", ...watchdog, send });
    notify.ready();
    assert.deepEqual(sent, ["READY=1"]);
    for (let turn = 0; turn < 5; turn += 1) notify.alive();
    assert.equal(sent.filter((message) => message === "WATCHDOG=1").length, fed, JSON.stringify(watchdog));
  }
});

test("what was not taken is said again at the next turn", async () => {
  let taken = false;
  const { sent, send } = recorder(() => taken);
  const notify = await createNotify({ socket: "/run/notify", watchdogUsec: "30000000", watchdogPid: "", send });
  notify.ready();
  notify.status("well");
  notify.alive();
  taken = true;
  sent.length = 0;
  notify.alive();
  notify.alive();
  assert.deepEqual(sent, ["READY=1", "STATUS=well", "WATCHDOG=1"]);
});

test("a socket's address is the family, then the path with its zero or the abstract name with one before it", () => {
  assert.deepEqual([...socketAddress("/a")], [1, 0, 47, 97, 0]);
  assert.deepEqual([...socketAddress("@ab")], [1, 0, 0, 97, 98]);
});
