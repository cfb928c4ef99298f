/**
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pauseAfter, REQUESTS_MAX, shutDownGuest } from "../../src/cli/guest_shutdown.ts";
import type { Inspection } from "../../src/ports/process_table.ts";
import type { ShutdownRequest } from "../../src/ports/vmm.ts";

const TARGET = { id: "vm-1", vmm: "qemu", socket: "/run/vm-1.qmp" } as const;
const ALIVE: Inspection = { kind: "alive", state: "S", cpuMs: 1 };

interface Guest {
  /** What comes of the requests, the last also of all that follow. */
  readonly asked: readonly ShutdownRequest[];
  /** Looks at the main process until it is dead; undefined: for ever. */
  readonly looks: number | undefined;
  /** Why the socket is not the unit's, at each look. */
  readonly foreign?: string;
  readonly timeoutMs?: number;
}

async function shutDown({ asked, looks, foreign, timeoutMs = 60_000 }: Guest) {
  const said: string[] = [];
  const requests: number[] = [];
  let looked = 0;
  const code = await shutDownGuest({
    target: TARGET,
    timeoutMs,
    vmm: {
      async shutdown(target, leftMs) {
        assert.deepEqual(target, TARGET);
        requests.push(leftMs);
        return asked[Math.min(requests.length, asked.length) - 1] ?? { kind: "asked" };
      },
    },
    main: {
      ageMs: 1e9,
      async inspect() {
        looked += 1;
        return looks !== undefined && looked > looks ? { kind: "dead" } : ALIVE;
      },
    },
    whyNotServed: () => foreign,
    output: { print: (text) => said.push(text.trim()), complain: (line) => said.push(line) },
  });
  return { code, requests, said };
}

test("a guest is asked once, with all the time there is, and waited for", async () => {
  const { code, requests, said } = await shutDown({ asked: [{ kind: "asked" }], looks: 2 });
  assert.equal(code, 0);
  assert.equal(requests.length, 1);
  assert.ok(Math.abs((requests[0] ?? 0) - 60_000) < 5_000, String(requests));
  assert.equal(said[0], "asking the guest of vm-1 to shut down");
  assert.match(said[1] ?? "", /^the guest of vm-1 has shut down after \d+ ms$/);
});

test("a guest that ignores the request is left to the service manager, and that is said", async () => {
  const { code, requests, said } = await shutDown({ asked: [{ kind: "asked" }], looks: undefined, timeoutMs: 30 });
  assert.equal(code, 0);
  assert.equal(requests.length, 1);
  assert.equal(said[1], "the guest of vm-1 has not shut down within 30 ms: it was asked and goes on");
});

test("a VMM that does not take the request is named in the end", async () => {
  const asked = [{ kind: "not_asked", error: "QMP is busy" }] as const;
  const { said } = await shutDown({ asked, looks: undefined, timeoutMs: 30 });
  assert.match(said[1] ?? "", /: QMP is busy$/);
});

test("nobody is asked at a socket that the unit does not serve, and that is said in one line", async () => {
  const { code, requests, said } = await shutDown({ asked: [], looks: undefined, foreign: "pid 7 has bound it" });
  assert.equal(code, 0);
  assert.deepEqual(requests, []);
  assert.deepEqual(said, ["the guest of vm-1 is not asked to shut down: pid 7 has bound it"]);
});

test("a guest that was asked is asked again only while it may boot, a VMM that refused after longer and longer", () => {
  const refused = { kind: "not_asked", error: "busy" } as const;
  assert.equal(pauseAfter({ kind: "asked" }, 1, 10_000), 30_000);
  assert.equal(pauseAfter({ kind: "asked" }, 1, 3_600_000), Number.POSITIVE_INFINITY);
  const pauses = Array.from({ length: REQUESTS_MAX - 1 }, (_, index) => pauseAfter(refused, index + 1, 10_000));
  assert.deepEqual(pauses, [2_000, 4_000, 8_000, 16_000]);
});

test("nothing is asked of a VM whose program has ended by itself", async () => {
  const code = await shutDownGuest({
    target: TARGET,
    timeoutMs: 60_000,
    vmm: { shutdown: () => Promise.reject(new Error("nobody must ask")) },
    main: undefined,
    whyNotServed: () => assert.fail(),
    output: { print: () => assert.fail(), complain: () => assert.fail() },
  });
  assert.equal(code, 0);
});
