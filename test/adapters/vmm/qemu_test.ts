import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { describe, it } from "node:test";
import { createVmm } from "../../../src/adapters/vmm/vmm.ts";
import type { VmmAnswer } from "../../../src/ports/vmm.ts";
import { until, withPeer } from "./peer.ts";

const GREETING = '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}\r\n';
const EVENT = '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RTC_CHANGE", "data": {"offset": 0}}\r\n';

interface Monitor {
  readonly greeting?: string;
  /** What it says to a command beside the capabilities, given the command's id. */
  readonly reply?: (id: string, command: string) => string;
}

function monitor({ greeting = GREETING, reply }: Monitor): (socket: Socket) => void {
  return (socket) => {
    socket.write(greeting);
    let received = "";
    socket.on("data", (bytes) => {
      received += bytes.toString();
      const lines = received.split("\n");
      received = lines.pop() ?? "";
      for (const line of lines) {
        const { execute, id } = JSON.parse(line);
        if (execute === "qmp_capabilities") socket.write(`${EVENT}{"return": {}, "id": ${JSON.stringify(id)}}\r\n`);
        else if (reply !== undefined) socket.write(reply(id, execute));
      }
    });
  };
}

function says(status: string): Monitor {
  return {
    reply: (id) =>
      `${EVENT}{"return": {"status": "stale"}, "id": "another"}\r\n` +
      `{"return": {"status": "${status}", "singlestep": false, "running": true}, "id": "${id}"}\r\n`,
  };
}

async function ask(behaviour: (socket: Socket) => void, timeoutMs = 10_000): Promise<VmmAnswer> {
  let answer: VmmAnswer | undefined;
  await withPeer(behaviour, async ({ socketPath, openConnections }) => {
    answer = await createVmm().query({ id: "vm-1", vmm: "qemu", socket: socketPath }, timeoutMs);
    await until(() => openConnections() === 0, "the driver hangs up");
  });
  assert.ok(answer !== undefined);
  return answer;
}

describe("createVmm for qemu", () => {
  const words = [
    ["running", "running"],
    ["prelaunch", "not_started"],
    ["shutdown", "shut_down"],
    ["guest-panicked", "panicked"],
    ["internal-error", "internal_error"],
    ["paused", "paused"],
    ["debug", "paused"],
    ["suspended", "paused"],
    ["watchdog", "paused"],
    ["io-error", "io_error"],
    ["postmigrate", "migrated"],
    ["inmigrate", "busy"],
    ["save-vm", "busy"],
    ["restore-vm", "busy"],
    ["finish-migrate", "busy"],
    ["colo", "busy"],
    ["a word of next year", "busy"],
  ] as const;
  for (const [raw, guest] of words) {
    it(`query() calls ${raw} ${guest}, past events and replies to others`, async () => {
      assert.deepEqual(await ask(monitor(says(raw))), { kind: "state", guest, raw, id: undefined, pid: undefined });
    });
  }

  it("query() reads a reply that comes in pieces", async () => {
    const answer = await ask((socket) => {
      const whole = socket.write.bind(socket);
      socket.write = (text: string | Uint8Array) => {
        for (const character of text.toString()) whole(character);
        return true;
      };
      monitor(says("running"))(socket);
    });
    assert.equal(answer.kind, "state");
  });

  it("query() calls a monitor without a greeting silent, and says that another client may hold it", async () => {
    const answer = await ask(() => undefined, 200);
    assert.equal(answer.kind, "silent");
    assert.ok(answer.kind === "silent");
    assert.match(answer.error, /a monitor held by another client looks the same/);
  });

  const wrong: readonly (readonly [string, (socket: Socket) => void, number, RegExp])[] = [
    ["greets and falls silent", monitor({}), 300, /no complete answer/],
    ["greets as something else", monitor({ greeting: '{"hello": 1}\n' }), 10_000, /no QMP greeting/],
    ["says no JSON", monitor({ greeting: "HTTP/1.1 400 Bad Request\r\n\r\n" }), 10_000, /no QMP message/],
    ["says JSON that is no object", monitor({ greeting: "[]\n" }), 10_000, /no QMP message/],
    ["hangs up", (socket) => socket.end(), 10_000, /closed the connection/],
    [
      "answers with an error",
      monitor({ reply: (id) => `{"id": "${id}", "error": {"class": "GenericError", "desc": "a\\nb\\u0007"}}\n` }),
      10_000,
      /GenericError: a b$/,
    ],
    [
      "answers with no status",
      monitor({ reply: (id) => `{"id": "${id}", "return": {}}\n` }),
      10_000,
      /query-status: \{\}/,
    ],
    ["tells of events without end", monitor({ reply: () => EVENT.repeat(20_000) }), 10_000, /more than 1048576 bytes/],
    ["never ends its line", monitor({ greeting: "x".repeat(2_000_000) }), 10_000, /more than 1048576 bytes/],
  ];
  for (const [title, behaviour, timeoutMs, error] of wrong) {
    it(`query() calls a monitor wrong that ${title}`, async () => {
      const answer = await ask(behaviour, timeoutMs);
      assert.equal(answer.kind, "wrong", JSON.stringify(answer));
      assert.ok(answer.kind === "wrong");
      assert.match(answer.error, error);
    });
  }

  it("shutdown() presses the power button", async () => {
    const commands: string[] = [];
    const behaviour = monitor({
      reply: (id, command) => {
        commands.push(command);
        return `{"return": {}, "id": "${id}"}\n`;
      },
    });
    await withPeer(behaviour, async ({ socketPath }) => {
      const request = await createVmm().shutdown({ id: "vm-1", vmm: "qemu", socket: socketPath }, 10_000);
      assert.deepEqual(request, { kind: "asked" });
      assert.deepEqual(commands, ["system_powerdown"]);
    });
  });
});
