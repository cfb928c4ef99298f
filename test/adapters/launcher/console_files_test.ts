/**
 * The bound on what VMs say.
 * @module
 */

import assert from "node:assert/strict";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createConsoleFiles } from "../../../src/adapters/launcher/console_files.ts";
import { waitFor } from "../../host/wait.ts";

async function inDirectory(check: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "metald-console-"));
  try {
    await check(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

test("cut keeps the end of a long file in the older one, and the writer goes on in the emptied file", () =>
  inDirectory(async (directory) => {
    const consoles = createConsoleFiles(directory, { bytesMax: 100 });
    const fd = consoles.open("vm-1");
    try {
      writeSync(fd, `${"a".repeat(200)}${"b".repeat(50)}`);
      await consoles.cut();
      assert.equal(readFileSync(join(directory, "vm-1.log.1"), "utf8"), "b".repeat(50));
      writeSync(fd, "after");
      assert.equal(readFileSync(join(directory, "vm-1.log"), "utf8"), "after");
    } finally {
      closeSync(fd);
    }
  }));

test("cut leaves a short file alone, and cuts the files that another agent made", () =>
  inDirectory(async (directory) => {
    writeFileSync(join(directory, "short.log"), "short");
    writeFileSync(join(directory, "long.log"), "x".repeat(1000));
    await createConsoleFiles(directory, { bytesMax: 100 }).cut();
    assert.equal(readFileSync(join(directory, "short.log"), "utf8"), "short");
    assert.equal(statSync(join(directory, "long.log")).size, 0);
  }));

test("cut of a directory that does not exist does nothing", async () => {
  assert.equal(await createConsoleFiles("/nonexistent/console").cut(), 0);
});

test("cut empties a file whose end cannot be kept, as on a file system that it has filled", () =>
  inDirectory(async (directory) => {
    writeFileSync(join(directory, "vm-1.log"), "x".repeat(1000));
    mkdirSync(join(directory, "vm-1.log.1"));
    await createConsoleFiles(directory, { bytesMax: 100 }).cut();
    assert.equal(statSync(join(directory, "vm-1.log")).size, 0);
  }));

test("a file that is too long already when the agent starts is cut without being asked for", () =>
  inDirectory(async (directory) => {
    writeFileSync(join(directory, "vm-1.log"), "x".repeat(1000));
    createConsoleFiles(directory, { bytesMax: 100 });
    await waitFor("the file is cut", () => statSync(join(directory, "vm-1.log")).size === 0);
  }));

test("open never follows a link that stands in the place of the file", () =>
  inDirectory(async (directory) => {
    const target = join(directory, "target");
    writeFileSync(target, "precious");
    symlinkSync(target, join(directory, "vm-1.log"));
    const fd = createConsoleFiles(directory, { bytesMax: 100 }).open("vm-1");
    writeSync(fd, "noise");
    closeSync(fd);
    assert.equal(readFileSync(target, "utf8"), "precious");
  }));

test("cut neither empties what a link leads to, nor writes through one in the place of the older file", () =>
  inDirectory(async (directory) => {
    const target = join(directory, "target");
    writeFileSync(target, "precious".repeat(100));
    symlinkSync(target, join(directory, "vm-1.log"));
    writeFileSync(join(directory, "vm-2.log"), "x".repeat(1000));
    symlinkSync(target, join(directory, "vm-2.log.1"));
    await createConsoleFiles(directory, { bytesMax: 100 }).cut();
    assert.equal(readFileSync(target, "utf8"), "precious".repeat(100));
    assert.equal(readFileSync(join(directory, "vm-2.log.1"), "utf8"), "x".repeat(50));
    assert.equal(statSync(join(directory, "vm-2.log")).size, 0);
  }));

test("removeEnded leaves no console of 1,000 VMs that have ended, and those alone that are open or new", () =>
  inDirectory(async (directory) => {
    const consoles = createConsoleFiles(directory, { keptMs: 60_000 });
    const longAgo = new Date(Date.now() - 120_000);
    for (let number = 1; number <= 1000; number += 1) {
      closeSync(consoles.open(`vm-${number}`));
      utimesSync(join(directory, `vm-${number}.log`), longAgo, longAgo);
      writeFileSync(join(directory, `vm-${number}.log.1`), "before");
      utimesSync(join(directory, `vm-${number}.log.1`), longAgo, longAgo);
    }
    closeSync(consoles.open("new"));
    const fd = consoles.open("silent");
    try {
      utimesSync(join(directory, "silent.log"), longAgo, longAgo);
      assert.equal(await consoles.removeEnded(), 2000);
      assert.deepEqual(readdirSync(directory).sort(), ["new.log", "silent.log"]);
    } finally {
      closeSync(fd);
    }
    assert.equal(await consoles.removeEnded(), 1);
  }));
