/**
 * Whom the way to a directory must be safe from.
 * @module
 */

import assert from "node:assert/strict";
import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { whyPathUntrusted } from "../../src/config/trusted_path.ts";
import { withDirectory } from "./temporary_directory.ts";

const UID = process.geteuid?.() ?? 0;
const ROOT_ONLY = { skip: UID !== 0 && "needs root" };
const why = (path: string): string | undefined => whyPathUntrusted(path, { uid: UID });

test("whyPathUntrusted trusts what the agent's user alone can change, and what it has yet to make", () =>
  withDirectory((directory) => {
    mkdirSync(join(directory, "own"), { mode: 0o755 });
    for (const path of ["own", "own/to/be/made", "nothing"]) assert.equal(why(join(directory, path)), undefined, path);
    assert.equal(why("/"), undefined);
  }));

test("whyPathUntrusted names the directory above that others can write to", () =>
  withDirectory((directory) => {
    const open = join(directory, "open");
    mkdirSync(join(open, "own"), { recursive: true });
    chmodSync(open, 0o770);
    for (const path of ["open", "open/own", "open/own/to/be/made"]) {
      assert.match(
        why(join(directory, path)) ?? "",
        /\/open as group and others .*: current value is mode 0770$/,
        path,
      );
    }
  }));

test("whyPathUntrusted lets a sticky directory be on the way, but not be the place itself", () =>
  withDirectory((directory) => {
    const sticky = join(directory, "sticky");
    mkdirSync(join(sticky, "own"), { recursive: true });
    chmodSync(sticky, 0o1777);
    assert.equal(why(join(sticky, "own")), undefined);
    assert.match(why(sticky) ?? "", /current value is mode 1777$/);
  }));

test("whyPathUntrusted judges where a link leads, and the way there", () =>
  withDirectory((directory) => {
    mkdirSync(join(directory, "open/own"), { recursive: true });
    mkdirSync(join(directory, "own"));
    chmodSync(join(directory, "open"), 0o777);
    symlinkSync("own", join(directory, "good"));
    symlinkSync("open/own", join(directory, "bad"));
    symlinkSync("loop", join(directory, "loop"));
    assert.equal(why(join(directory, "good/state")), undefined);
    assert.match(why(join(directory, "bad/state")) ?? "", /\/open as group and others/);
    assert.match(why(join(directory, "loop")) ?? "", /must not be a loop of links/);
  }));

test("whyPathUntrusted refuses a file on the way", () =>
  withDirectory((directory) => {
    writeFileSync(join(directory, "file"), "");
    assert.match(why(join(directory, "file/state")) ?? "", /file must be a directory: current value is a file$/);
  }));

test("whyPathUntrusted refuses the directory and the link of another user", ROOT_ONLY, () =>
  withDirectory((directory) => {
    mkdirSync(join(directory, "own"));
    mkdirSync(join(directory, "foreign/own"), { recursive: true });
    symlinkSync("own", join(directory, "link"));
    chownSync(join(directory, "foreign"), 4242, 4242);
    lchownSync(join(directory, "link"), 4242, 4242);
    for (const path of ["foreign", "foreign/own", "link", "link/own"]) {
      assert.match(why(join(directory, path)) ?? "", /must belong to root: current value is uid 4242$/, path);
    }
  }),
);
