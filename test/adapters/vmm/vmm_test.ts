import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import type { Socket } from "node:net";
import { describe, it } from "node:test";
import { createVmm } from "../../../src/adapters/vmm/vmm.ts";
import type { VmmTarget } from "../../../src/ports/vmm.ts";
import { until, withPeer } from "./peer.ts";

const KINDS: readonly VmmTarget["vmm"][] = ["firecracker", "cloud-hypervisor", "qemu"];

function http(status: number, body: string): string {
  return `HTTP/1.1 ${status} \r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Answers by the request's path. */
function api(answers: Readonly<Record<string, string>>): (socket: Socket) => void {
  return (socket) => {
    socket.on("data", (bytes) => {
      const path = bytes.toString().split(" ")[1] ?? "";
      const answer = answers[path];
      if (answer !== undefined) socket.write(answer);
    });
  };
}

const PING = http(200, '{"build_version":"v48.0","version":"48.0.0","pid":4711,"features":[]}');

describe("createVmm", () => {
  for (const vmm of KINDS) {
    it(`query() knows nothing of a ${vmm} whose socket's path is too long for the host`, async () => {
      const target = { id: "vm-1", vmm, socket: `/tmp/${"x".repeat(200)}` };
      assert.equal((await createVmm().query(target, 1000)).kind, "unknown");
    });

    it(`query() leaves no descriptor and no connection behind, however a ${vmm} behaves`, async () => {
      let connections = 0;
      const behaviours: readonly ((socket: Socket) => void)[] = [
        (socket) => socket.end(),
        (socket) => socket.destroy(),
        (socket) => socket.write("garbage\r\n\r\n"),
        () => undefined,
      ];
      const behave = (socket: Socket): void => behaviours[connections++ % behaviours.length]?.(socket);
      await withPeer(behave, async ({ socketPath, openConnections }) => {
        const target = { id: "vm-1", vmm, socket: socketPath };
        const ask = (): Promise<unknown> => Promise.all(behaviours.map(() => createVmm().query(target, 100)));
        await ask();
        await until(() => openConnections() === 0, "the first round's connections are closed");
        const before = readdirSync("/proc/self/fd").length;
        for (let round = 0; round < 5; round++) await ask();
        await until(() => openConnections() === 0, "every connection is closed");
        await until(() => readdirSync("/proc/self/fd").length <= before, `at most ${before} descriptors are open`);
      });
    });
  }

  it("query() calls a Firecracker wrong whose answer is JSON of another kind, and shows how it begins", async () => {
    await withPeer(api({ "/": http(200, '{"status":"ok"}\n') }), async ({ socketPath }) => {
      const answer = await createVmm().query({ id: "vm-1", vmm: "firecracker", socket: socketPath }, 10_000);
      assert.deepEqual(answer, { kind: "wrong", error: 'GET /: not the answer to it: {"status":"ok"}' });
    });
  });

  it("query() tells the id that a Firecracker claims", async () => {
    const body = '{"id":"vm-2","state":"Running","vmm_version":"1.13.1","app_name":"Firecracker"}';
    await withPeer(api({ "/": http(200, body) }), async ({ socketPath }) => {
      const answer = await createVmm().query({ id: "vm-1", vmm: "firecracker", socket: socketPath }, 10_000);
      assert.deepEqual(answer, { kind: "state", guest: "running", raw: "Running", id: "vm-2", pid: undefined });
    });
  });

  it("query() tells the pid that a Cloud Hypervisor claims", async () => {
    const answers = { "/api/v1/vmm.ping": PING, "/api/v1/vm.info": http(200, '{"config":{},"state":"Paused"}') };
    await withPeer(api(answers), async ({ socketPath }) => {
      const answer = await createVmm().query({ id: "vm-1", vmm: "cloud-hypervisor", socket: socketPath }, 10_000);
      assert.deepEqual(answer, { kind: "state", guest: "paused", raw: "Paused", id: undefined, pid: 4711 });
    });
  });

  it("query() takes a Cloud Hypervisor for empty that says that it has no VM, with the status of old and new", async () => {
    for (const status of [404, 500]) {
      const info = http(status, '["Error from API","The VM info is not available","VM is not created"]');
      await withPeer(api({ "/api/v1/vmm.ping": PING, "/api/v1/vm.info": info }), async ({ socketPath }) => {
        const answer = await createVmm().query({ id: "vm-1", vmm: "cloud-hypervisor", socket: socketPath }, 10_000);
        assert.ok(answer.kind === "state" && answer.guest === "not_started", JSON.stringify(answer));
      });
    }
  });

  it("query() does not call a Cloud Hypervisor silent that answers a ping alone, as silence may permit force", async () => {
    await withPeer(api({ "/api/v1/vmm.ping": PING }), async ({ socketPath }) => {
      const answer = await createVmm().query({ id: "vm-1", vmm: "cloud-hypervisor", socket: socketPath }, 300);
      assert.equal(answer.kind, "wrong");
    });
  });

  it("shutdown() passes on why a Firecracker refuses it", async () => {
    const fault = '{"fault_message":"The requested operation is not supported"}';
    await withPeer(api({ "/actions": http(400, fault) }), async ({ socketPath }) => {
      const request = await createVmm().shutdown({ id: "vm-1", vmm: "firecracker", socket: socketPath }, 10_000);
      assert.ok(request.kind === "not_asked" && request.error.includes("not supported"), JSON.stringify(request));
    });
  });
});
