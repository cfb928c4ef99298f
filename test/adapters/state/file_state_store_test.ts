import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { createFileStateStore } from "../../../src/adapters/state/file_state_store.ts";
import type { RuntimeState } from "../../../src/domain/runtime_state.ts";
import { monotonicMs } from "../../../src/domain/time.ts";
import type { StateStore } from "../../../src/ports/state_store.ts";
import { withDirectory } from "../../config/temporary_directory.ts";
import { stateStoreContract } from "../../contract/state_store_contract.ts";
import { waitFor } from "../../host/wait.ts";
import { withDisk } from "./frozen_disk.ts";

const UID = process.geteuid?.() ?? 0;
const BOOT = "11111111-1111-4111-8111-111111111111";
const NEXT_BOOT = "22222222-2222-4222-8222-222222222222";

function open(directory: string, bootId = BOOT): StateStore {
  const stateDir = join(directory, "run");
  return createFileStateStore({ stateDir, durableDir: join(directory, "durable"), bootId, uid: UID });
}

function recordSource(id: string): string {
  return `// kept as it was written\n${JSON.stringify({ id, state: "running", vmm: "process" })}`;
}

function stateOf(more: Partial<RuntimeState> = {}): RuntimeState {
  return {
    bootId: BOOT,
    main: undefined,
    runsWith: undefined,
    incarnation: 1,
    attempts: 1,
    retryAt: undefined,
    failed: false,
    launchIntent: undefined,
    recovering: undefined,
    exitedForContent: undefined,
    migratedForContent: undefined,
    ...more,
  };
}

stateStoreContract("file state store", async () => {
  const directory = mkdtempSync(join(tmpdir(), "metald-state-"));
  return {
    bootId: BOOT,
    open: () => open(directory),
    openAfterReboot: () => open(directory, NEXT_BOOT),
    recordSource,
    async wipe() {
      for (const name of ["run", "durable"]) rmSync(join(directory, name), { recursive: true, force: true });
    },
    async makeUnwritable() {
      for (const name of ["run", "durable"]) {
        rmSync(join(directory, name), { recursive: true, force: true });
        writeFileSync(join(directory, name), "a file where the directory should be");
      }
    },
    async dispose() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
});

test("what the store makes is the agent's alone", () =>
  withDirectory(async (directory) => {
    await open(directory).saveVm("vm-1", stateOf());
    await open(directory).saveLastGood("vm-1", recordSource("vm-1"));
    const modeOf = (name: string): number => statSync(join(directory, name)).mode & 0o777;
    for (const name of ["run", "run/vms", "durable", "durable/last_good"]) assert.equal(modeOf(name), 0o700, name);
    for (const name of ["run/vms/vm-1.json", "durable/last_good/vm-1.json"]) assert.equal(modeOf(name), 0o600, name);
  }));

test("damaged files are skipped, and the good ones beside them are loaded", () =>
  withDirectory(async (directory) => {
    const store = open(directory);
    await store.saveVm("good", stateOf());
    await store.saveLastGood("good", recordSource("good"));
    await store.saveStartedOnce("good", "0123456789abcdef");
    const damaged = {
      half: '{"version":1,"bootId":',
      empty: "",
      list: "[]",
      wrong: '{"version":1,"bootId":3}',
      zeros: "\0\0\0",
    };
    for (const [id, text] of Object.entries(damaged)) {
      writeFileSync(join(directory, "run/vms", `${id}.json`), text);
      writeFileSync(join(directory, "durable/last_good", `${id}.json`), text);
      writeFileSync(join(directory, "durable/started_once", id), text);
    }
    mkdirSync(join(directory, "run/vms/directory.json"));
    writeFileSync(join(directory, "run/host.json"), "{");
    const loaded = await open(directory).load();
    assert.deepEqual([...loaded.vms.keys()], ["good"]);
    assert.equal(loaded.host, undefined);
    assert.deepEqual([...(await open(directory).loadLastGood()).keys()], ["good"]);
    assert.deepEqual([...(await open(directory).loadStartedOnce()).keys()], ["good"]);
  }));

test("what a newer version wrote beside the known fields is ignored", () =>
  withDirectory(async (directory) => {
    const store = open(directory);
    await store.saveVm("vm-1", stateOf());
    const text = JSON.stringify({ version: 2, ...stateOf({ attempts: 7 }), mood: "fine" });
    writeFileSync(join(directory, "run/vms/vm-1.json"), text);
    assert.deepEqual((await store.load()).vms.get("vm-1"), stateOf({ attempts: 7 }));
  }));

/** Each is what another version of the agent left, and what this one makes of it. */
const OTHER_VERSIONS: Readonly<Record<string, readonly [written: object, read: Partial<RuntimeState>]>> = {
  "an older one that knew little": [
    { attempts: 3, exitedForContent: "abc" },
    { incarnation: 0, attempts: 3, exitedForContent: "abc" },
  ],
  "a newer one with a reason of its own": [
    { attempts: 2, failed: true, incarnation: 4, recovering: { reason: "clock_stopped", attempt: 2, since: 10 } },
    {
      ...{ attempts: 2, failed: true, incarnation: 4 },
      recovering: { reason: "process_dead", attempt: 2, since: monotonicMs(10) },
    },
  ],
  "a newer one with a VMM of its own": [
    { attempts: 1, runsWith: { vmm: "crosvm", launchHash: "1" }, migratedForContent: "abc" },
    { incarnation: 0, attempts: 1, migratedForContent: "abc" },
  ],
  "a newer one that says more about a launch under way": [
    { attempts: 1, incarnation: 2, launchIntent: { begun: { at: "now" } } },
    {
      ...{ attempts: 1, incarnation: 2 },
      launchIntent: { attempt: 0, incarnation: 0, bootId: "", at: monotonicMs(0) },
    },
  ],
};

for (const [version, [written, expected]] of Object.entries(OTHER_VERSIONS)) {
  test(`of what ${version} left, all that is understood is used`, () =>
    withDirectory(async (directory) => {
      await open(directory).saveVm("vm-1", stateOf());
      writeFileSync(join(directory, "run/vms/vm-1.json"), JSON.stringify({ version: 9, bootId: BOOT, ...written }));
      assert.deepEqual((await open(directory).load()).vms.get("vm-1"), stateOf(expected));
    }));
}

test("a file that names its process in other words is absent, as a VM without a process would count as dead", () =>
  withDirectory(async (directory) => {
    await open(directory).saveVm("vm-1", stateOf());
    const state = { version: 9, bootId: BOOT, incarnation: 3, attempts: 1, failed: false, main: { pidfd: 7 } };
    writeFileSync(join(directory, "run/vms/vm-1.json"), JSON.stringify(state));
    assert.equal((await open(directory).load()).vms.size, 0);
  }));

test("a host's state of another version counts as a stop that nobody asked for, unless it says otherwise", () =>
  withDirectory(async (directory) => {
    const store = open(directory);
    await store.saveHost({ bootId: BOOT, cleanStop: true, forcedStops: [] });
    writeFileSync(join(directory, "run/host.json"), JSON.stringify({ version: 9, bootId: BOOT, forcedStops: "many" }));
    assert.deepEqual((await store.load()).host, { bootId: BOOT, cleanStop: false, forcedStops: [] });
    writeFileSync(join(directory, "run/host.json"), JSON.stringify({ version: 1, bootId: BOOT, cleanStop: true }));
    assert.deepEqual((await store.load()).host, { bootId: BOOT, cleanStop: true, forcedStops: [] });
  }));

test("a file that others could have written is neither loaded nor a place to save", () =>
  withDirectory(async (directory) => {
    const store = open(directory);
    await store.saveLastGood("vm-1", recordSource("vm-1"));
    chmodSync(join(directory, "durable/last_good"), 0o777);
    assert.equal((await open(directory).loadLastGood()).size, 0);
    const outcome = await store.saveLastGood("vm-2", recordSource("vm-2"));
    assert.ok(outcome.kind === "failed");
    assert.match(outcome.error, /last_good as group and others must not be able to write to it/);
  }));

test("loading removes what a killed agent had not finished writing", () =>
  withDirectory(async (directory) => {
    const store = open(directory);
    await store.saveVm("vm-1", stateOf());
    writeFileSync(join(directory, "run/vms/.4242-1.tmp"), "{");
    await store.load();
    assert.deepEqual(readdirSync(join(directory, "run/vms")), ["vm-1.json"]);
  }));

test("a disk that does not answer fails saves in time, hurts no runtime state, and is used again once it answers", {
  skip: UID !== 0 && "needs root",
}, async (context) => {
  const why = await withDisk((disk) =>
    withDirectory(async (stateDir) => {
      const options = { stateDir, durableDir: join(disk.path, "state"), bootId: BOOT, uid: UID };
      const store = createFileStateStore({ ...options, timeoutMs: 200 });
      const [old, late, last] = ["old", "late", "last"].map((word) => `// ${word}\n${recordSource("vm-1")}`);
      assert.ok(old !== undefined && late !== undefined && last !== undefined);
      assert.deepEqual(await store.saveLastGood("vm-1", old), { kind: "saved" });
      disk.freeze();
      const saves = [store.saveLastGood("vm-1", late), store.saveStartedOnce("vm-2", "0123456789abcdef")];
      for (const save of saves) {
        const outcome = await save;
        assert.match(
          outcome.kind === "failed" ? outcome.error : "",
          /Cannot write .*: current value is no answer within/,
        );
      }
      await store.forgetLastGood("vm-1");
      assert.deepEqual(await store.saveVm("vm-1", stateOf()), { kind: "saved" });
      disk.thaw();
      await waitFor("the disk is used again", async () => (await store.saveLastGood("vm-1", last)).kind === "saved");
      const lastGood = join(options.durableDir, "last_good");
      assert.deepEqual(readdirSync(lastGood), ["vm-1.json"]);
      assert.equal(readFileSync(join(lastGood, "vm-1.json"), "utf8"), last);
      assert.equal((await store.loadStartedOnce()).size, 0);
    }),
  );
  if (why !== undefined) context.skip(`needs a disk of its own: ${why}`);
});
