import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEnvironmentFile } from "../../src/config/environment_file.ts";

test("parseEnvironmentFile takes names and values as systemd does", () => {
  const text = [
    "# a comment=1",
    "; another=1",
    "",
    "PLAIN=/etc/a.jsonc",
    '  SPACED = "/etc/a b.jsonc"  ',
    "SINGLE='x y'",
    "EMPTY=",
    "TWICE=1",
    "TWICE=2",
    "LONG=/etc/\\",
    "long.jsonc",
    "no assignment",
    "1BAD=1",
  ].join("\n");
  assert.deepEqual(Object.fromEntries(parseEnvironmentFile(text)), {
    PLAIN: "/etc/a.jsonc",
    SPACED: "/etc/a b.jsonc",
    SINGLE: "x y",
    EMPTY: "",
    TWICE: "2",
    LONG: "/etc/long.jsonc",
  });
});
