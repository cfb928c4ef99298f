import assert from "node:assert/strict";
import { test } from "node:test";
import { reloaded } from "../../src/cli/reload.ts";
import { DEFAULTS } from "../../src/config/defaults.ts";

test("a reload names what changed, and what of it needs a restart", () => {
  const written = {
    ...DEFAULTS,
    recovery: { ...DEFAULTS.recovery, max_retries: 9 },
    state_dir: "/run/other",
    registry: { type: "directory", path: "/vms" },
    log: { level: "debug", format: "json" },
  };
  assert.deepEqual(reloaded(DEFAULTS, written).changed, [
    "recovery.max_retries",
    "registry.path (needs a restart)",
    "state_dir (needs a restart)",
    "log.level",
    "log.format (needs a restart)",
  ]);
});

test("a value that needs a restart is named by every reload until it is taken back, and the others once", () => {
  const written = { ...DEFAULTS, enabled: false, durable_dir: "/other" };
  const first = reloaded(DEFAULTS, written);
  assert.deepEqual(first.changed, ["enabled", "durable_dir (needs a restart)"]);
  assert.deepEqual(reloaded(first.inForce, written).changed, ["durable_dir (needs a restart)"]);
  assert.deepEqual(reloaded(first.inForce, { ...DEFAULTS, enabled: false }).changed, []);
});
