/**
 * The contract's fixture over the real adapter and a fake VMM in a process of its own.
 * @module
 */

import { rmSync } from "node:fs";
import { createVmm } from "../../../src/adapters/vmm/vmm.ts";
import type { GuestState } from "../../../src/domain/vmm.ts";
import type { VmmConduct, VmmFixture } from "../../contract/vmm_contract.ts";
import type { Control } from "../../fake_vmm/control.ts";
import type { FakeVmmKind } from "../../fake_vmm/executable.ts";
import { startFakeVmm } from "../../fake_vmm/fake_vmm.ts";

const WORDS: Readonly<Record<FakeVmmKind, Partial<Record<GuestState, string>>>> = {
  firecracker: { running: "Running", not_started: "Not started", paused: "Paused", busy: "Resuming" },
  "cloud-hypervisor": {
    running: "Running",
    not_started: "Created",
    paused: "BreakPoint",
    shut_down: "Shutdown",
    busy: "Migrating",
  },
};

export async function openFakeVmm(kind: FakeVmmKind): Promise<VmmFixture> {
  const fake = await startFakeVmm(kind, { ignoresShutdown: true });

  const behave = async (conduct: VmmConduct): Promise<void> => {
    const control = controlOf(kind, conduct);
    if (control !== undefined) {
      fake.tell({ ignoresShutdown: true, ...control });
      return;
    }
    process.kill(fake.pid, "SIGKILL");
    await fake.exited;
    if (conduct.kind === "removed") rmSync(fake.socketPath);
  };

  return {
    vmm: createVmm(),
    target: { id: fake.id, vmm: kind, socket: fake.socketPath },
    behave,
    settle: (promise) => promise,
    wasAskedToShutDown: async () => fake.output().includes("shutdown requested"),
    end: fake.end,
  };
}

/** @returns undefined for what is done to the process rather than by it */
function controlOf(kind: FakeVmmKind, conduct: VmmConduct): Control | undefined {
  switch (conduct.kind) {
    case "says": {
      const state = WORDS[kind][conduct.guest];
      if (state === undefined) throw new Error(`Cannot say ${conduct.guest} as ${kind} has no word for it`);
      return { state };
    }
    case "hangs":
      return { conduct: "hang" };
    case "drips":
      return { conduct: "drip" };
    case "closes":
      return { conduct: "close" };
    case "garbage":
      return { conduct: "garbage" };
    case "error":
      return { conduct: "error" };
    case "floods":
      return { conduct: "flood" };
    case "killed":
    case "removed":
      return undefined;
  }
}
