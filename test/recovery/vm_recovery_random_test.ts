/**
 * What holds for a VM whatever happens to it, over many random lives; and that from everywhere a way leads back to
 * healthy.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { after } from "../../src/domain/time.ts";
import { workWanted } from "../../src/recovery/work_wanted.ts";
import { Seeded } from "../async/seeded.ts";
import { LAUNCH } from "./examples.ts";
import { RandomLife } from "./random_life.ts";
import type { Opening } from "./story.ts";
import { see } from "./story.ts";

const LIVES = 1_500;
const STEPS_MAX = 80;

function openingOf(chance: Seeded): Opening {
  return {
    record: {
      restart: chance.pick(["always", "always", "on-failure", "never"]),
      vmm: chance.pick(["firecracker", "qemu", "process"]),
      launch: chance.below(10) === 0 ? undefined : LAUNCH,
      desired: chance.pick(["running", "running", "running", "paused", "stopped"]),
    },
    recovery: { allowDataLoss: chance.below(2) === 0, maxRetries: chance.pick([1, 3]), jitter: 0.1 },
  };
}

/** Lives one random life; a rule that is broken fails with the seed and what happened last. */
function live(seed: number): RandomLife {
  const chance = new Seeded(seed);
  const life = new RandomLife(chance, openingOf(chance));
  const steps = 1 + chance.below(STEPS_MAX);
  try {
    for (let step = 0; step < steps; step += 1) life.step();
  } catch (error) {
    throw new Error(`seed ${seed}, after\n  ${life.told.slice(-12).join("\n  ")}`, { cause: error });
  }
  return life;
}

test(`every rule holds at every step of ${LIVES} random lives`, () => {
  for (let seed = 1; seed <= LIVES; seed += 1) live(seed);
});

test("from every state a world without faults leads back to healthy, within a few rounds", () => {
  for (let seed = 1; seed <= LIVES; seed += 1) {
    const life = live(seed);
    life.rest();
    const { story } = life;
    story.held = false;
    story.leased = false;
    story.braked = false;
    story.write({ desired: "running", restart: "always", launch: LAUNCH });
    let rounds = 0;
    while (story.vm.phase.name !== "healthy") {
      rounds += 1;
      const where = `seed ${seed}, in ${JSON.stringify(story.vm.phase)} after\n  ${life.told.slice(-12).join("\n  ")}`;
      assert.ok(rounds <= 12, where);
      story.now = after(story.now, 600_000);
      if (story.vm.main === undefined) see(story, "nothing");
      else {
        see(story, "again");
        see(story, "ok");
      }
      const work = workWanted(story.vm, story.situation);
      if (work !== undefined && work.dueAt <= story.now) see(story, `recover ${9_000 + rounds}`);
    }
  }
});
