import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { showConfiguration } from "../../src/cli/config_show.ts";
import { withDirectory } from "../config/temporary_directory.ts";

const DOCUMENT = {
  telemetry: {
    otlp: {
      endpoint: "https://user:s3cret@collector:4318/base?token=s3cret#s3cret",
      metrics_endpoint: "http://collector/plain",
      headers: { authorization: "Bearer s3cret", "x-tenant": "s3cret" },
    },
  },
};

async function shown(options: { readonly secrets: boolean }): Promise<string> {
  let printed = "";
  await withDirectory((directory) => {
    const path = join(directory, "config.jsonc");
    writeFileSync(path, JSON.stringify(DOCUMENT), { mode: 0o600 });
    const print = (text: string): void => {
      printed += text;
    };
    const output = { print, complain: assert.fail };
    const uid = process.getuid?.() ?? 0;
    assert.equal(showConfiguration({ path, uid }, { output, ...options }), 0);
  });
  return printed;
}

test("config show leaves out the values of headers, and user, password, query and fragment of endpoints", async () => {
  const text = await shown({ secrets: false });
  assert.deepEqual(JSON.parse(text).telemetry.otlp, {
    endpoint: "https://(not shown)@collector:4318/base?(not shown)",
    metrics_endpoint: "http://collector/plain",
    headers: { authorization: "(not shown)", "x-tenant": "(not shown)" },
  });
  assert.ok(!text.includes("s3cret"));
});

test("config show --secrets shows all that is in force", async () => {
  const text = await shown({ secrets: true });
  assert.deepEqual(JSON.parse(text).telemetry.otlp, DOCUMENT.telemetry.otlp);
});
