import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, it } from "node:test";
import { createGuestProbe } from "../../../src/adapters/vmm/guest_probe_tcp.ts";
import { type GuestProbeFixture, guestProbeContract } from "../../contract/guest_probe_contract.ts";

guestProbeContract({ name: "a listener on the loopback interface", open, cannot: ["drops"] });

async function open(): Promise<GuestProbeFixture> {
  const guest = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(guest, "listening");
  const { port } = guest.address() as AddressInfo;
  const close = async (): Promise<void> => {
    if (!guest.listening) return;
    guest.close();
    await once(guest, "close");
  };
  return {
    probe: createGuestProbe(),
    target: { host: "127.0.0.1", port },
    behave: async (conduct) => {
      if (conduct === "refuses") await close();
    },
    settle: (promise) => promise,
    end: close,
  };
}

const noPython = spawnSync("python3", ["--version"]).status === 0 ? false : "python3 is not installed";

describe("createGuestProbe", () => {
  it("tcp() fails when nothing answers before the deadline, as with a full backlog", { skip: noPython }, async () => {
    // A listener that never accepts: once its backlog is full, the kernel drops what else comes.
    const script = [
      "import socket, sys",
      "server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen(0)",
      "full = socket.create_connection(server.getsockname())",
      "print(server.getsockname()[1], flush=True)",
      "sys.stdin.read()",
    ].join("\n");
    const guest = spawn("python3", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      const [bytes] = await once(guest.stdout, "data");
      const result = await createGuestProbe().tcp({ host: "127.0.0.1", port: Number(bytes) }, 300);
      assert.deepEqual(result, {
        kind: "failure",
        error: `tcp 127.0.0.1:${Number(bytes)}: no connection before the deadline`,
      });
    } finally {
      guest.kill("SIGKILL");
      await once(guest, "exit");
    }
  });

  it("tcp() knows nothing of a guest whose name does not resolve, since that is the resolver's failure", async () => {
    const result = await createGuestProbe().tcp({ host: "guest.invalid", port: 22 }, 2000);
    assert.equal(result.kind, "unknown");
  });
});
