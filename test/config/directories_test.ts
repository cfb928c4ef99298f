import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfiguration } from "../../src/config/configuration.ts";
import { overlapsOf } from "../../src/config/directories.ts";

const APART = { registryPath: "/srv/metald/vms", stateDir: "/run/metald", durableDir: "/srv/metald/state" };

test("directories beside each other are fine, also where a name begins like another", () => {
  assert.deepEqual(overlapsOf(APART), []);
  assert.deepEqual(overlapsOf({ ...APART, durableDir: "/srv/metald/vms-state" }), []);
});

for (const [what, overlapping] of [
  ["a state_dir whose files would be the records", { ...APART, stateDir: "/srv/metald" }],
  ["the registry itself as state_dir, with a slash at its end", { ...APART, stateDir: "/srv/metald/vms/" }],
  ["a state_dir in the registry, by a detour", { ...APART, stateDir: "/srv/../srv/metald/vms/run" }],
  ["a registry in the root directory of the state", { ...APART, stateDir: "/" }],
] as const) {
  test(`${what} is refused, naming both`, () => {
    assert.deepEqual(overlapsOf(overlapping), [
      `Cannot use registry.path as it must lie apart from state_dir (${overlapping.stateDir}), where metald writes: ` +
        'current value is "/srv/metald/vms"',
    ]);
  });
}

test("a configuration whose durable_dir holds the default registry is invalid", () => {
  const reading = readConfiguration({ durable_dir: "/var/lib/metald" });
  assert.ok(reading.kind === "invalid");
  assert.match(
    reading.errors.join("\n"),
    /registry\.path as it must lie apart from durable_dir \(\/var\/lib\/metald\)/,
  );
});
