import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, it } from "node:test";
import { type FakeVmmKind, fakeVmmArgv } from "./executable.ts";
import { type FakeVmm, startFakeVmm } from "./fake_vmm.ts";

const KINDS: readonly FakeVmmKind[] = ["firecracker", "cloud-hypervisor"];

async function withFake(kind: FakeVmmKind, body: (fake: FakeVmm) => Promise<void>): Promise<void> {
  const fake = await startFakeVmm(kind);
  try {
    await body(fake);
  } finally {
    await fake.end();
  }
}

describe("startFakeVmm", () => {
  for (const kind of KINDS) {
    it(`runs a program whose executable the host calls ${kind}`, async () => {
      await withFake(kind, async ({ pid }) => {
        assert.equal(basename(readlinkSync(`/proc/${pid}/exe`)), kind);
      });
    });

    it(`a killed ${kind} leaves its socket behind, and another refuses to start on it`, async () => {
      await withFake(kind, async ({ pid, id, socketPath, exited }) => {
        process.kill(pid, "SIGKILL");
        assert.equal(await exited, "SIGKILL");
        assert.ok(existsSync(socketPath));
        const controlPath = join(dirname(socketPath), "control.json");
        const [program, ...args] = fakeVmmArgv({ kind, id, socketPath, controlPath });
        assert.equal(spawnSync(program, args).status, 1);
      });
    });

    it(`a ${kind} exits with the code it is told`, async () => {
      await withFake(kind, async ({ tell, exited }) => {
        tell({ exitCode: 148 });
        assert.equal(await exited, 148);
      });
    });
  }
});
