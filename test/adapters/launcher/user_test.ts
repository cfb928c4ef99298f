/**
 * Users from `/etc/passwd`.
 * @module
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findUser, uidOf } from "../../../src/adapters/launcher/user.ts";

test("findUser passes over lines that are none", () => {
  const directory = mkdtempSync(join(tmpdir(), "metald-passwd-"));
  try {
    const path = join(directory, "passwd");
    writeFileSync(path, "# vm users\n\nvm:x:abc:1:::\nvm:x:1000\nvm:x:1001:1002:A VM:/srv/vm:/bin/false\n+::::::\n");
    const user = findUser(({ name }) => name === "vm", path);
    assert.deepEqual(user, { name: "vm", uid: 1001, gid: 1002, home: "/srv/vm" });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("findUser finds nobody in a file that is not there", () => {
  assert.equal(
    findUser(() => true, "/nonexistent/passwd"),
    undefined,
  );
});

test("uidOf knows root, and not a user that does not exist", () => {
  assert.equal(uidOf("root"), 0);
  assert.equal(uidOf("no-such-user"), undefined);
});
