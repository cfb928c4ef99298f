/**
 * What `metald status` says when it cannot know: the first question that is asked at night, and a wrong answer sends
 * somebody to start a second agent.
 * @module
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { withDirectory } from "../config/temporary_directory.ts";
import { agentCommand } from "./agent.ts";

interface Answer {
  readonly code: number | null;
  readonly said: string;
}

function status(directory: string, config: string): Answer {
  const path = join(directory, "config.jsonc");
  writeFileSync(path, config, { mode: 0o600 });
  const [program, ...args] = agentCommand();
  const { status: code, stderr } = spawnSync(program, [...args, "status", "--config", path], { encoding: "utf8" });
  return { code, said: stderr };
}

test("status without a status file names the file, and does not claim that no agent runs", async () => {
  await withDirectory(async (directory) => {
    const { code, said } = status(directory, JSON.stringify({ state_dir: join(directory, "run") }));
    assert.equal(code, 3);
    assert.match(said, new RegExp(`^metald: there is no ${directory}/run/status.json: .*or cannot write there`, "m"));
  });
});

test("status with a broken configuration says what is broken, and whose status it shows instead", async () => {
  await withDirectory(async (directory) => {
    const { said } = status(directory, '{"state_dir": "run"}');
    assert.match(said, /config\.jsonc: Cannot use state_dir as it must be an absolute path/);
    assert.match(said, /what follows is of an agent with state_dir \/run\/metald$/m);
  });
});
