/**
 * A VM to which random things happen, in the order in which the loop could let them happen, and what must hold at
 * every step.
 *
 * Acts follow their protocol: one at a time, begun only when work is wanted and due, ended by exactly one outcome;
 * while one is under
 * way nobody else looks at the VM. Everything else comes in any order.
 * @module
 */

import assert from "node:assert/strict";
import type { AttemptFailure, BlockedReason, ReliabilityEvent } from "../../src/domain/event.ts";
import { after } from "../../src/domain/time.ts";
import type { VmRecord } from "../../src/domain/vm_record.ts";
import { workWanted } from "../../src/recovery/work_wanted.ts";
import type { Seeded } from "../async/seeded.ts";
import { LAUNCH } from "./examples.ts";
import type { Opening } from "./story.ts";
import { eventWord, Story, see } from "./story.ts";

type Act = "none" | "fencing" | "announced" | "launched" | "stopping";

const BLOCKED: readonly BlockedReason[] = ["disk_in_use", "unproven", "no_permission", "forced_stops_exhausted"];
const FAILURES: readonly AttemptFailure[] = ["hook_failed", "cleanup_failed", "launch_refused", "abandoned"];
const GUESTS = ["not_started", "panicked", "shut_down", "paused", "io_error", "migrated", "busy"];
const WAITS_MS = [100, 1_000, 5_000, 10_000, 60_000, 301_000];

export class RandomLife {
  readonly story: Story;
  /** What happened, for a person who wants to see it again. */
  readonly told: string[] = [];
  #act: Act = "none";
  #attemptOpen = false;
  #nextPid = 100;
  readonly #chance: Seeded;

  constructor(chance: Seeded, opening: Opening) {
    this.#chance = chance;
    this.story = new Story(opening);
  }

  get isActing(): boolean {
    return this.#act !== "none";
  }

  step(): void {
    const { story } = this;
    story.chance = this.#chance.next();
    story.events = [];
    const before = story.vm;
    const seen = this.#happen();
    this.told.push(`${seen} -> ${story.vm.phase.name} ${story.events.map(eventWord).join(" ")}`);
    this.#check(seen, before);
  }

  /** Ends an act that is under way, without doing anything. */
  rest(): void {
    if (this.#act === "none") return;
    this.story.events = [];
    if (this.#act === "stopping") this.#see("stop abandoned");
    else if (this.#act === "fencing") this.#see("abandoned");
    else this.#see("fails abandoned");
    this.#act = "none";
    for (const event of this.story.events) this.#account(event);
  }

  #see(sight: string): string {
    see(this.story, sight);
    return sight;
  }

  #happen(): string {
    if (this.#chance.below(8) === 0) return this.#operate();
    if (this.#act !== "none") return this.#actOn();
    const { story } = this;
    const work = workWanted(story.vm, story.situation);
    if (work !== undefined && work.dueAt <= story.now && this.#chance.below(3) > 0) {
      this.#act = work.kind === "stop" ? "stopping" : "fencing";
      return this.#see(work.kind === "stop" ? "stopping" : "begin");
    }
    if (this.#chance.below(3) === 0) {
      story.now = after(story.now, this.#chance.pick(WAITS_MS));
      return "time passes";
    }
    return this.#see(story.vm.main === undefined ? this.#sightWithoutMain() : this.#sightOfMain());
  }

  #sightWithoutMain(): string {
    return this.#chance.pick([
      "nothing",
      "nothing",
      "nothing remnants",
      `find ${this.#pid()}`,
      `find ${this.#pid()} foreign`,
      `zombie ${this.#pid()}`,
      "duplicate",
    ]);
  }

  #sightOfMain(): string {
    return this.#chance.pick([
      "ok",
      "ok",
      "ok",
      "miss socket",
      "miss api",
      "miss guest",
      "miss pair",
      "miss pair",
      "miss pair D",
      "unknown",
      "stranger",
      `says ${this.#chance.pick(GUESTS)}`,
      `says ${this.#chance.pick(GUESTS)}`,
      "die",
      "die 0",
      "die served",
      "probe dead",
      "zombie",
      "again",
      "duplicate",
      `find ${this.#pid()} olddead`,
    ]);
  }

  /** People, orchestrators and the brake do what they like at any time. */
  #operate(): string {
    const { record } = this.story;
    const sight = this.#chance.pick([
      "desire running",
      "desire running",
      "desire stopped",
      "desire paused",
      "write priority",
      "write launch",
      "write loss",
      "hold on",
      "hold off",
      "lease on",
      "lease off",
      "brake on",
      "brake off",
      "launch comes back",
      "write nolaunch",
    ]);
    if (sight === "launch comes back") {
      if (record.launch === undefined) this.story.write({ launch: LAUNCH }, ["launch"]);
      return sight;
    }
    return this.#see(sight);
  }

  #actOn(): string {
    const { story } = this;
    switch (this.#act) {
      case "stopping": {
        const ends = ["stopped", "stop blocked ignores_shutdown", "stop unfenceable", "stop abandoned"];
        this.#act = "none";
        return this.#see(this.#chance.pick(ends));
      }
      case "fencing": {
        if (this.#chance.below(3) > 0) {
          this.#act = "announced";
          return this.#see("attempt");
        }
        this.#act = "none";
        const ends = [`blocked ${this.#chance.pick(BLOCKED)}`, "unfenceable", "abandoned", `found ${this.#pid()}`];
        if (story.vm.main !== undefined) ends.push("well");
        return this.#see(this.#chance.pick(ends));
      }
      case "announced": {
        if (this.#chance.below(3) > 0) {
          this.#act = "launched";
          return this.#see(`launch ${this.#pid()}`);
        }
        this.#act = "none";
        const ends = [...FAILURES.map((cause) => `fails ${cause}`), "fails launch_unknown", `found ${this.#pid()}`];
        return this.#see(this.#chance.pick(ends));
      }
      default:
        this.#act = "none";
        return this.#see(this.#chance.pick(["healthy", "slow", "fails process_died"]));
    }
  }

  #pid(): number {
    this.#nextPid += 1;
    return this.#nextPid;
  }

  #check(seen: string, before: Story["vm"]): void {
    const { story } = this;
    const { vm, situation, now } = story;
    const { phase } = vm;
    const work = this.isActing ? undefined : workWanted(vm, situation);

    assert.ok(phase.since <= now, "a phase began in the future");
    const reasonChanged =
      phase.name === "blocked" && before.phase.name === "blocked" && phase.reason !== before.phase.reason;
    if (phase.name === before.phase.name && vm.main === before.main && !reasonChanged) {
      assert.equal(phase.since, before.phase.since, "a VM that stays in a phase is in it since it entered");
    }
    assert.ok(vm.attempts >= 0, "attempts are counted from 0");
    assert.ok(work === undefined || !Number.isNaN(work.dueAt), "work that is due never");
    this.#checkWork(work, story.record);
    for (const event of story.events) this.#account(event);
    const recovered = story.events.find((event) => event.type === "recovery_successful" || event.type === "vm_started");
    assert.ok(recovered === undefined || seen === "ok" || seen === "healthy", "recovered means seen healthy");
    assert.equal(
      vm.openAttempt !== undefined,
      this.#attemptOpen,
      "an attempt that was announced is open until its end is said",
    );
  }

  #checkWork(work: ReturnType<typeof workWanted>, record: VmRecord): void {
    if (work === undefined) return;
    const { vm, situation } = this.story;
    assert.equal(situation.held, false, "nothing is done to a VM that is held");
    assert.notEqual(record.launch, undefined, "nothing is done to a VM without launch");
    assert.ok(
      vm.phase.name !== "blocked" || vm.phase.reason !== "duplicate" || vm.main === undefined,
      "two mains are left alone",
    );
    if (work.kind === "stop") {
      assert.equal(record.desired, "stopped", "only what is to be stopped is stopped");
      assert.notEqual(vm.main, undefined, "there is something to stop");
      return;
    }
    assert.equal(record.desired, "running", "only what is to run is started");
    if (work.mode === "start") assert.equal(vm.main, undefined, "nothing is started beside a living main");
    if (work.mode === "force") {
      assert.ok(vm.health.unhealthy, "force without a verdict");
      assert.equal(situation.braked, false, "force under the brake");
    }
    if (work.mode === "replace_empty")
      assert.equal(vm.main?.launchedByUs, true, "what others launched is not ended as empty");
  }

  /** Every attempt has one beginning and one end. */
  #account(event: ReliabilityEvent): void {
    switch (event.type) {
      case "vm_starting":
      case "recovery_attempting":
        assert.equal(this.#attemptOpen, false, "an attempt begins while another is open");
        this.#attemptOpen = true;
        return;
      case "vm_started":
      case "recovery_successful":
      case "attempt_failed":
        assert.equal(this.#attemptOpen, true, "an attempt ends that did not begin");
        this.#attemptOpen = false;
        return;
      default:
        return;
    }
  }
}
