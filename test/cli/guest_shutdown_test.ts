/**
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { shutDownGuest } from "../../src/cli/guest_shutdown.ts";
import { parseInternalCommand } from "../../src/cli/internal_command.ts";
import type { Inspection } from "../../src/ports/process_table.ts";
import type { ShutdownRequest } from "../../src/ports/vmm.ts";

const TARGET = { id: "vm-1", vmm: "qemu", socket: "/run/vm-1.qmp" } as const;
const ALIVE: Inspection = { kind: "alive", state: "S", cpuMs: 1 };

interface Guest {
  readonly asked: ShutdownRequest;
  /** Looks at the main process until it is dead; undefined: for ever. */
  readonly looks: number | undefined;
}

async function shutDown({ asked, looks }: Guest, timeoutMs: number) {
  const said: string[] = [];
  let requests = 0;
  let looked = 0;
  const code = await shutDownGuest({
    target: TARGET,
    timeoutMs,
    vmm: {
      async shutdown(target) {
        assert.deepEqual(target, TARGET);
        requests += 1;
        return asked;
      },
    },
    async inspectMain() {
      looked += 1;
      return looks !== undefined && looked > looks ? { kind: "dead" } : ALIVE;
    },
    output: { print: (text) => said.push(text.trim()), complain: (line) => said.push(line) },
  });
  return { code, requests, said };
}

test("a guest is asked once and waited for", async () => {
  const { code, requests, said } = await shutDown({ asked: { kind: "asked" }, looks: 2 }, 60_000);
  assert.equal(code, 0);
  assert.equal(requests, 1);
  assert.equal(said[0], "asking the guest of vm-1 to shut down");
  assert.match(said[1] ?? "", /^the guest of vm-1 has shut down after \d+ ms$/);
});

test("a guest that ignores the request is left to the service manager, and that is said", async () => {
  const { code, said } = await shutDown({ asked: { kind: "asked" }, looks: undefined }, 30);
  assert.equal(code, 0);
  assert.equal(said[1], "the guest of vm-1 has not shut down within 30 ms: it was asked and goes on");
});

test("a VMM that does not take the request is named in the end", async () => {
  const { said } = await shutDown({ asked: { kind: "not_asked", error: "QMP is busy" }, looks: undefined }, 30);
  assert.match(said[1] ?? "", /: QMP is busy$/);
});

test("nothing is asked of a VM whose program has ended by itself", async () => {
  const code = await shutDownGuest({
    target: TARGET,
    timeoutMs: 60_000,
    vmm: { shutdown: () => Promise.reject(new Error("nobody must ask")) },
    inspectMain: undefined,
    output: { print: () => assert.fail(), complain: () => assert.fail() },
  });
  assert.equal(code, 0);
});

test("the commands of units are read from exactly what units say", () => {
  assert.deepEqual(parseInternalCommand(["guest-shutdown", "qemu", "run/a.sock", "90000"]), {
    kind: "guest_shutdown",
    vmm: "qemu",
    socket: "/run/a.sock",
    timeoutMs: 90_000,
  });
  assert.deepEqual(parseInternalCommand(["remove-leftovers", "/a", "--b"]), {
    kind: "remove_leftovers",
    paths: ["/a", "--b"],
  });
  assert.deepEqual(parseInternalCommand(["reload"]), { kind: "reload" });
  for (const args of [
    [],
    ["run"],
    ["reload", "now"],
    ["remove-leftovers"],
    ["guest-shutdown", "process", "a", "1"],
    ["guest-shutdown", "qemu", "a", "soon"],
    ["guest-shutdown", "qemu", "a", "1", "2"],
  ]) {
    assert.equal(parseInternalCommand(args), undefined, args.join(" "));
  }
});
