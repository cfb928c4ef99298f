/**
 * Every file that the agent makes for a VM ends with it: a host that creates and deletes VMs for years keeps none.
 * @module
 */

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { createFileStateStore } from "../../src/adapters/state/file_state_store.ts";
import type { ControlRequest } from "../../src/ports/control.ts";
import { runReliability } from "../../src/reliability/integration.ts";
import { withDirectory } from "../config/temporary_directory.ts";
import { waitFor } from "../host/wait.ts";
import { BOOT_ID, recordOf } from "../recovery/examples.ts";
import { POLICY, QuietHost } from "./quiet_host.ts";

const VMS = 1_000;

test("of 1,000 VMs that ran and were deleted no file is left", () =>
  withDirectory(async (directory) => {
    const stateDir = join(directory, "run");
    const durableDir = join(directory, "state");
    const host = new QuietHost();
    const stateStore = createFileStateStore({ stateDir, durableDir, bootId: BOOT_ID, uid: process.geteuid?.() ?? 0 });
    for (let number = 1; number <= VMS; number += 1) {
      const record = recordOf({ id: `vm-${number}`, socket: undefined, vmm: "process", restart: "never" });
      host.write(record);
      host.run(record);
      // As the agent that started it left it.
      await stateStore.saveStartedOnce(record.id, record.contentHash);
    }
    let ask: (request: ControlRequest) => void = () => undefined;
    const deps = {
      ...host.dependencies,
      stateStore,
      control: {
        subscribe(onRequest: (request: ControlRequest) => void) {
          ask = onRequest;
          return () => undefined;
        },
      },
    };
    const abort = new AbortController();
    let hasEnded = false;
    const running = runReliability(deps, POLICY, abort.signal).finally(() => {
      hasEnded = true;
    });
    const directories = ["run/vms", "state/last_good", "state/started_once"].map((path) => join(directory, path));
    const counts = () => directories.map((path) => (existsSync(path) ? readdirSync(path).length : 0));
    /** Lets time pass on the host at about the pace at which the files are really written. */
    const until = (what: string, holds: () => boolean) =>
      waitFor(what, async () => {
        await host.pass(20, 20);
        return holds();
      });
    try {
      await until("all are adopted", () => host.said("vm_adopted").length === VMS);
      await until("all are noted", () => counts().every((count) => count === VMS));
      host.records.clear();
      host.hint(undefined);
      await until("the loss is disputed", () => host.said("registry_unreadable").length === 1);
      ask({ kind: "inspect" });
      await until("the loss is believed", () => host.said("vm_deleted").length === VMS);
      await until("nothing is left", () => counts().every((count) => count === 0));
    } finally {
      abort.abort();
      await until("the agent ends", () => hasEnded);
      await running;
    }
    assert.deepEqual(counts(), [0, 0, 0]);
    assert.deepEqual(readdirSync(stateDir).sort(), ["host.json", "vms"]);
    assert.deepEqual(readdirSync(durableDir).sort(), ["last_good", "started_once"]);
  }));
