import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { createDirectoryRegistry, RECORD_BYTES_MAX } from "../../../src/adapters/registry/directory_registry.ts";
import type { VmId } from "../../../src/domain/vm_record.ts";
import type { InvalidRecord, ReadRecord } from "../../../src/ports/registry.ts";
import { withDirectory } from "../../config/temporary_directory.ts";
import { registryContract } from "../../contract/registry_contract.ts";
import { waitFor } from "../../host/wait.ts";

const UID = process.geteuid?.() ?? 0;

function recordText(id: VmId, state = "running"): string {
  return JSON.stringify({ id, state, vmm: "process", launch: { argv: ["/bin/sleep", "60"] } });
}

/** As an orchestrator writes it. */
function writeByRename(path: string, text: string): void {
  const temporary = join(path, "..", ".new");
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, path);
}

registryContract("directory registry", async () => {
  const directory = mkdtempSync(join(tmpdir(), "metald-registry-"));
  const path = join(directory, "vms");
  const hidden = join(directory, "hidden");
  mkdirSync(path, { mode: 0o700 });
  return {
    registry: createDirectoryRegistry({ path, uid: UID }),
    async write(id, desired) {
      writeByRename(join(path, `${id}.json`), recordText(id, desired));
    },
    async writeHalf(id) {
      writeByRename(join(path, `${id}.json`), recordText(id).slice(0, 30));
    },
    async remove(id) {
      rmSync(join(path, `${id}.json`));
    },
    async makeUnreadable() {
      renameSync(path, hidden);
    },
    async makeReadable() {
      renameSync(hidden, path);
    },
    async eventually(what, isTrue) {
      await waitFor(what, isTrue);
    },
    async dispose() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
});

async function listed(path: string): Promise<readonly (ReadRecord | InvalidRecord)[]> {
  const listing = await createDirectoryRegistry({ path, uid: UID }).list();
  assert.ok(listing.kind === "listed", JSON.stringify(listing));
  return listing.entries;
}

test("everything that is no record is refused by name, and the record beside it is read", () =>
  withDirectory(async (path) => {
    const at = (name: string): string => join(path, name);
    writeFileSync(at("vm-1.json"), recordText("vm-1"), { mode: 0o644 });
    writeFileSync(at("huge.json"), "x".repeat(5_000_000), { mode: 0o600 });
    writeFileSync(at("limit.json"), `${recordText("limit")}${" ".repeat(RECORD_BYTES_MAX)}`, { mode: 0o600 });
    writeFileSync(at("writable.json"), recordText("writable"));
    chmodSync(at("writable.json"), 0o666);
    writeFileSync(at("other.json"), recordText("vm-1"), { mode: 0o600 });
    writeFileSync(at("bytes.json"), Uint8Array.of(0x7b, 0xff, 0x7d), { mode: 0o600 });
    mkdirSync(at("directory.json"));
    symlinkSync("vm-1.json", at("link.json"));
    symlinkSync("../../nowhere", at("dangling.json"));
    assert.equal(spawnSync("mkfifo", [at("pipe.json")]).status, 0);
    writeFileSync(at("README"), "");
    writeFileSync(at("-odd.json"), recordText("-odd"), { mode: 0o600 });
    const rules: Readonly<Record<string, RegExp>> = {
      "huge.json": /at most 262144 bytes: current value is 5000000 bytes/,
      "limit.json": /at most 262144 bytes/,
      "writable.json": /group and others must not be able to write to it: current value is mode 0666/,
      "other.json": /Cannot use id as it must equal the file's name without .json, "other": current value is "vm-1"/,
      "bytes.json": /must be UTF-8/,
      "directory.json": /must be a regular file: current value is a directory/,
      "link.json": /must be a regular file: current value is a link/,
      "dangling.json": /must be a regular file: current value is a link/,
      "pipe.json": /must be a regular file: current value is a pipe/,
      README: /a file's name must be an id that matches .*: current value is "README"/,
      "-odd.json": /a file's name must be an id that matches .*: current value is "-odd.json"/,
    };
    const entries = await listed(path);
    assert.equal(entries.length, Object.keys(rules).length + 1);
    for (const [name, rule] of Object.entries(rules)) {
      const entry = entries.find((found) => found.kind === "invalid" && found.path === at(name));
      assert.ok(entry?.kind === "invalid", name);
      assert.match(entry.error, rule);
    }
    const records = entries.filter((entry) => entry.kind === "record");
    assert.deepEqual(
      records.map(({ id }) => id),
      ["vm-1"],
    );
  }));

test("files that an editor or a rename leaves behind are nobody's records and are not reported", () =>
  withDirectory(async (path) => {
    for (const name of [".vm-1.json.swp", "vm-1.json~", "vm-1.json.tmp", ".new"]) writeFileSync(join(path, name), "{");
    assert.deepEqual(await listed(path), []);
  }));

test("a record of somebody else is refused", { skip: UID !== 0 && "needs root" }, () =>
  withDirectory(async (path) => {
    writeFileSync(join(path, "vm-1.json"), recordText("vm-1"), { mode: 0o600 });
    chownSync(join(path, "vm-1.json"), 4242, 4242);
    const [entry] = await listed(path);
    assert.ok(entry?.kind === "invalid");
    assert.match(entry.error, /must belong to root: current value is uid 4242/);
  }),
);

test("a registry that others can write to is unreadable as a whole, as they could replace any record", () =>
  withDirectory(async (path) => {
    writeFileSync(join(path, "vm-1.json"), recordText("vm-1"), { mode: 0o600 });
    chmodSync(path, 0o777);
    const registry = createDirectoryRegistry({ path, uid: UID });
    for (const reading of [await registry.list(), await registry.read("vm-1")]) {
      assert.ok(reading.kind === "unreadable");
      assert.match(reading.error, /current value is mode 0777/);
    }
  }));

test("a rewrite in place with the same size and the same times is seen, once the file was read young", () =>
  withDirectory(async (path) => {
    const file = join(path, "vm-1.json");
    const registry = createDirectoryRegistry({ path, uid: UID });
    for (let round = 0; round < 50; round += 1) {
      const text = JSON.stringify({ id: "vm-1", state: "running", vmm: "process", priority: 10 + round });
      writeFileSync(file, text, { mode: 0o600 });
      utimesSync(file, 1_000_000, 1_000_000);
      const entry = await registry.read("vm-1");
      assert.ok(entry.kind === "record");
      assert.equal(entry.record.priority, 10 + round);
    }
  }));

test("a directory that is deleted and made anew is watched again", () =>
  withDirectory(async (directory) => {
    const path = join(directory, "vms");
    mkdirSync(path, { mode: 0o700 });
    const hints: (VmId | undefined)[] = [];
    const end = createDirectoryRegistry({ path, uid: UID }).watch((id) => hints.push(id));
    try {
      rmSync(path, { recursive: true });
      await waitFor("a hint at the lost directory", () => hints.includes(undefined));
      hints.length = 0;
      mkdirSync(path, { mode: 0o700 });
      await waitFor("a hint at the new directory", () => hints.includes(undefined));
      writeByRename(join(path, "vm-1.json"), recordText("vm-1"));
      await waitFor("a hint at a record in it", () => hints.includes("vm-1"));
    } finally {
      end();
    }
  }));

test("reading leaves nothing behind and no file open", () =>
  withDirectory(async (path) => {
    for (let index = 0; index < 300; index += 1)
      writeFileSync(join(path, `vm-${index}.json`), recordText(`vm-${index}`));
    const registry = createDirectoryRegistry({ path, uid: UID });
    const openBefore = readdirSync("/proc/self/fd").length;
    for (let round = 0; round < 3; round += 1) assert.equal((await registry.list()).kind, "listed");
    assert.ok(readdirSync("/proc/self/fd").length <= openBefore + 1);
    assert.equal(readdirSync(path).length, 300);
  }));
