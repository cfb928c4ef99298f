/**
 * @module
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { whyNotServed } from "../../../src/adapters/systemd/served_socket.ts";
import { createHostProcesses } from "../process/host_processes.ts";

const RUNTIME = "Deno" in globalThis ? [process.execPath, "run", "-A"] : [process.execPath];
const LISTENS = [...RUNTIME, fileURLToPath(new URL("listening_program.ts", import.meta.url))];
const needsRoot = process.getuid?.() === 0 ? false : "needs root";

interface Bench {
  readonly directory: string;
  readonly path: string;
  /** Starts a program that listens, and resolves with its pid once it does. */
  listen(argv?: readonly string[]): Promise<number>;
  end(pid: number): Promise<void>;
}

function withListeners(rule: string, check: (bench: Bench) => Promise<void>, skip: string | false = false): void {
  test(rule, { skip }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "metald-served-"));
    const path = join(directory, "vm.sock");
    const processes = createHostProcesses();
    const started = new Map<number, Awaited<ReturnType<typeof processes.startReady>>>();
    try {
      await check({
        directory,
        path,
        async listen(argv = [...LISTENS, path]) {
          const identity = await processes.startReady(argv, { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" });
          started.set(identity.pid, identity);
          return identity.pid;
        },
        async end(pid) {
          const identity = started.get(pid);
          if (identity !== undefined) await processes.end(identity);
        },
      });
    } finally {
      await processes.dispose();
      rmSync(directory, { recursive: true, force: true });
    }
  });
}

const only = (mainPid: number) => ({ mainPid, includes: () => false });

withListeners("the main process that listens at the socket serves it", async ({ listen, path }) => {
  assert.equal(whyNotServed(path, only(await listen())), undefined);
});

withListeners("any process of the unit may be the one that listens", async ({ listen, path }) => {
  const pid = await listen();
  assert.equal(whyNotServed(path, { mainPid: process.pid, includes: (each) => each === pid }), undefined);
});

withListeners("a process that is not of the unit serves nothing of it", async ({ listen, path }) => {
  await listen();
  assert.equal(whyNotServed(path, only(process.pid)), `no process of its unit serves ${path}`);
});

withListeners(
  "a socket that another has bound over that of the unit is not the unit's",
  async ({ end, listen, path }) => {
    const own = await listen();
    const rival = await listen();
    assert.equal(whyNotServed(path, only(own)), `pid ${rival}, which is not of its unit, has bound ${path} as well`);
    assert.match(whyNotServed(path, only(rival)) ?? "", new RegExp(`^pid ${own}, which is not of its unit`));
    assert.equal(whyNotServed(path, { mainPid: own, includes: (pid) => pid === rival }), undefined);
    await end(own);
    assert.equal(whyNotServed(path, only(rival)), undefined);
  },
);

withListeners(
  "a path that is relative to the VMM's directory is followed from there",
  async ({ directory, listen, path }) => {
    const pid = await listen(["/bin/sh", "-c", 'cd "$0" && exec "$@"', directory, ...LISTENS, "vm.sock"]);
    assert.equal(whyNotServed(path, only(pid)), undefined);
  },
);

withListeners("a link to the socket leads to the socket", async ({ directory, listen, path }) => {
  const pid = await listen();
  const link = join(directory, "link.sock");
  symlinkSync(path, link);
  assert.equal(whyNotServed(link, only(pid)), undefined);
});

withListeners(
  "a path is seen with the VMM's eyes where it has mounts of its own, and the same path of another is no rival",
  async ({ directory, listen, path }) => {
    const script = 'mount --bind "$0" /mnt && exec "$@"';
    const within = (place: string) =>
      listen(["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, place, ...LISTENS, "/mnt/vm.sock"]);
    const pid = await within(directory);
    const other = mkdtempSync(join(tmpdir(), "metald-served-other-"));
    try {
      const otherPid = await within(other);
      assert.equal(whyNotServed(path, only(pid)), undefined);
      assert.equal(whyNotServed(path, only(otherPid)), `no process of its unit serves ${path}`);
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  },
  needsRoot,
);

withListeners("what is no socket, or is not there, is served by nobody", async ({ directory }) => {
  const file = join(directory, "file");
  writeFileSync(file, "");
  for (const path of [file, join(directory, "absent")]) {
    assert.equal(whyNotServed(path, only(process.pid)), `there is no socket at ${path}`);
  }
});
