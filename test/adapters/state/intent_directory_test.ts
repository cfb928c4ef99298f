import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { createIntentDirectory } from "../../../src/adapters/state/intent_directory.ts";
import type { WallMs } from "../../../src/domain/time.ts";
import type { Intent, IntentEntry } from "../../../src/ports/intent.ts";
import { withDirectory } from "../../config/temporary_directory.ts";
import { intentContract } from "../../contract/intent_contract.ts";
import { waitFor } from "../../host/wait.ts";

const UID = process.geteuid?.() ?? 0;

function open(directory: string): Intent {
  return createIntentDirectory({ stateDir: join(directory, "run"), durableDir: join(directory, "state"), uid: UID });
}

function write(directory: string, name: string, text: string): void {
  const path = join(directory, name);
  mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
  writeFileSync(path, text, { mode: 0o600 });
}

function rfc3339(at: WallMs): string {
  return new Date(at).toISOString();
}

intentContract("intent directory", async () => {
  const directory = mkdtempSync(join(tmpdir(), "metald-intent-"));
  const nameOf = (kind: "hold" | "lease", id: string): string =>
    kind === "hold" ? `state/holds/${id}.json` : `run/leases/${id}.json`;
  return {
    intent: open(directory),
    async hold(id = "_all", expiresAt) {
      const expires = expiresAt === undefined ? {} : { expires: rfc3339(expiresAt) };
      write(directory, nameOf("hold", id), JSON.stringify({ reason: "upgrade", actor: "alice", ...expires }));
    },
    async lease(id, expiresAt, holder) {
      const keys = holder && { pid: holder.pid, start_ticks: holder.startTicks, boot_id: holder.bootId };
      write(directory, nameOf("lease", id), JSON.stringify({ op: "snapshot", expires: rfc3339(expiresAt), ...keys }));
    },
    async writeHalf(kind, id) {
      write(directory, nameOf(kind, id), '{ "reason": ');
    },
    async release(kind, id = "_all") {
      rmSync(join(directory, nameOf(kind, id)));
    },
    async makeUnreadable() {
      chmodSync(join(directory, "state/holds"), 0o777);
    },
    async eventually(what, isTrue) {
      await waitFor(what, isTrue);
    },
    async dispose() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
});

async function entriesOf(directory: string): Promise<readonly IntentEntry[]> {
  const reading = await open(directory).list();
  assert.ok(reading.kind === "read", JSON.stringify(reading));
  return reading.entries;
}

test("a file that says something else than the shape is malformed, and its error names key, rule and value", () =>
  withDirectory(async (directory) => {
    const cases: readonly (readonly [string, string, RegExp])[] = [
      ["state/holds/a.json", "", /Cannot use the document as it must be JSON/],
      ["state/holds/b.json", '{"reason":"x"}', /Cannot use actor as it must be a text .*: current value is absent/],
      [
        "state/holds/c.json",
        '{"reason":"x","actor":"y","expire":"z"}',
        /Cannot use expire as the key is unknown, did you mean expires/,
      ],
      [
        "state/holds/d.json",
        '{"reason":"x","actor":"y","expires":"soon"}',
        /Cannot use expires as it must be an RFC 3339 instant .*"soon"/,
      ],
      [
        "run/leases/e.json",
        '{"op":"x"}',
        /Cannot use expires as it must be an RFC 3339 instant .*: current value is absent/,
      ],
      [
        "run/leases/f.json",
        '{"op":"x","expires":"2099-01-01T00:00:00Z","pid":-1}',
        /Cannot use pid as it must be a positive/,
      ],
    ];
    for (const [name, text] of cases) write(directory, name, text);
    const entries = await entriesOf(directory);
    assert.equal(entries.length, cases.length);
    for (const [name, , pattern] of cases) {
      const entry = entries.find((found) => found.kind === "malformed" && found.path === join(directory, name));
      assert.ok(entry?.kind === "malformed", name);
      assert.match(entry.error, pattern);
    }
  }));

test("a link or a file that others can write is malformed: it holds, and it is reported", () =>
  withDirectory(async (directory) => {
    write(directory, "state/holds/a.json", '{"reason":"x","actor":"y"}');
    chmodSync(join(directory, "state/holds/a.json"), 0o666);
    symlinkSync("a.json", join(directory, "state/holds/b.json"));
    const kinds = (await entriesOf(directory)).map(({ kind, vmId }) => `${vmId} ${kind}`);
    assert.deepEqual(kinds, ["a malformed", "b malformed"]);
  }));

test("a malformed hold of every VM concerns every VM, while one with a name that is no id concerns none", () =>
  withDirectory(async (directory) => {
    write(directory, "state/holds/_all.json", "");
    write(directory, "state/holds/notes.txt", "");
    write(directory, "state/holds/.a.json.swp", "");
    const entries = await entriesOf(directory);
    assert.deepEqual(
      entries.map(({ kind, vmId }) => [kind, vmId]),
      [
        ["malformed", undefined],
        ["malformed", "notes.txt"],
      ],
    );
    const reading = await open(directory).read("vm-1");
    assert.ok(reading.kind === "read");
    assert.deepEqual(
      reading.entries.map(({ vmId }) => vmId),
      [undefined],
    );
  }));

test("a lease whose holder is named in part has no holder, as a pid alone is nobody", () =>
  withDirectory(async (directory) => {
    write(directory, "run/leases/a.json", '{"op":"x","expires":"2099-01-01T00:00:00+02:00","pid":42}');
    const [entry] = await entriesOf(directory);
    assert.ok(entry?.kind === "lease");
    assert.equal(entry.holder, undefined);
    assert.equal(entry.expiresAt, Date.parse("2098-12-31T22:00:00Z"));
  }));

test("a disk that does not answer makes holds unreadable, as none could be there unseen", () =>
  withDirectory(async (directory) => {
    const durableDir = join(directory, "durable");
    const intent = createIntentDirectory({
      stateDir: join(directory, "run"),
      durableDir,
      uid: UID,
      durableAnswers: async () => false,
    });
    const rule = "its file system must answer: current value is no answer within 2 s";
    const unreadable = { kind: "unreadable", path: durableDir, error: `Cannot read ${durableDir} as ${rule}` };
    assert.deepEqual(await intent.list(), unreadable);
    assert.deepEqual(await intent.read("vm-1"), unreadable);
  }));
