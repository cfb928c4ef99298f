/**
 * Tells the life of one VM as a list of things seen and what must follow from each.
 *
 * A step is `[what is seen, phase, work that is wanted, events]`, all of them words, so that a story reads from top
 * to bottom. What can
 * be seen stands in `SIGHTS`. Probe counts are left out of the events; everything else is there, in order.
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { AttemptFailure, BlockedReason, ReliabilityEvent } from "../../src/domain/event.ts";
import type { HealthPolicy } from "../../src/domain/policy.ts";
import type { ProbeFailure, ProbeResult } from "../../src/domain/probe_result.ts";
import type { RuntimeState } from "../../src/domain/runtime_state.ts";
import type { MonotonicMs } from "../../src/domain/time.ts";
import { after, monotonicMs } from "../../src/domain/time.ts";
import type { VmRecord, VmRecoveryPolicy } from "../../src/domain/vm_record.ts";
import type { GuestState } from "../../src/domain/vmm.ts";
import type { ExitStatus } from "../../src/ports/launcher.ts";
import type { Look, Observation, RestartOutcome, StopOutcome } from "../../src/recovery/observation.ts";
import type { Main, Situation, Vm } from "../../src/recovery/vm.ts";
import { newVm, rememberedOf } from "../../src/recovery/vm.ts";
import { nextVm } from "../../src/recovery/vm_recovery.ts";
import { workWanted } from "../../src/recovery/work_wanted.ts";
import { BOOT_ID, HEALTH, identityOf, RECOVERY, recordOf } from "./examples.ts";

/** What is seen, the phase it leads to, the work that is wanted then (empty: none), and what is reported. */
export type StoryStep = readonly [seen: string, phase: string, wanted: string, events: string];

export interface Opening {
  readonly record?: Partial<VmRecord>;
  readonly health?: Partial<HealthPolicy>;
  readonly recovery?: Partial<VmRecoveryPolicy>;
  readonly remembered?: Partial<RuntimeState>;
}

const BEGAN_AT_MS = 1_000_000;

/** One VM to which things happen. */
export class Story {
  vm: Vm;
  now: MonotonicMs = monotonicMs(BEGAN_AT_MS);
  record: VmRecord;
  held = false;
  leased = false;
  braked = false;
  chance = 0.5;
  readonly health: HealthPolicy;
  readonly recovery: VmRecoveryPolicy;
  events: ReliabilityEvent[] = [];
  #contents = 1;

  constructor(opening: Opening = {}) {
    this.record = recordOf(opening.record);
    this.health = { ...HEALTH, ...opening.health };
    this.recovery = { ...RECOVERY, ...opening.recovery };
    const { remembered } = opening;
    this.vm = newVm(remembered === undefined ? undefined : { ...NOTHING_REMEMBERED, ...remembered }, this.now);
  }

  get situation(): Situation {
    return {
      now: this.now,
      record: this.record,
      health: this.health,
      recovery: { ...this.recovery, ...this.record.recovery },
      held: this.held,
      leased: this.leased,
      braked: this.braked,
      chance: this.chance,
    };
  }

  observe(observation: Observation): void {
    const { vm, events } = nextVm(this.vm, observation, this.situation);
    this.vm = vm;
    this.events.push(...events);
  }

  look(look: Look): void {
    this.observe({ type: "looked", look });
  }

  probe(result: ProbeResult, identity = this.vm.main?.identity): void {
    if (identity !== undefined) this.observe({ type: "probed", identity, result, durationMs: 3 });
  }

  end(outcome: RestartOutcome): void {
    this.observe({ type: "restart_ended", outcome });
  }

  endStop(outcome: StopOutcome): void {
    this.observe({ type: "stop_ended", outcome });
  }

  /** The record is written anew, changed as told. */
  write(change: Partial<VmRecord>, changed: readonly string[] = []): void {
    this.#contents += 1;
    const launchHash = changed.length > 0 ? `launch-${this.#contents}` : this.record.launchHash;
    this.record = { ...this.record, ...change, contentHash: `content-${this.#contents}`, launchHash };
    this.observe({ type: "record_changed", contentChanged: true, changed });
  }

  /** The agent is killed, and its successor knows what was on disk. */
  restartAgent(): void {
    this.vm = newVm({ ...rememberedOf(this.vm, BOOT_ID), launchIntent: undefined }, this.now);
  }

  mainOf(pid: number, change: Partial<Main> = {}): Main {
    return {
      identity: identityOf(pid),
      launchedByUs: true,
      incarnation: this.vm.incarnation,
      startedAt: this.now,
      runsWith: { vmm: this.record.vmm, socket: this.record.socket, launchHash: this.record.launchHash },
      ...change,
    };
  }

  /** The main that is known. */
  get main(): Main {
    const { main } = this.vm;
    assert.ok(main !== undefined, "the story speaks of a main process, and none is known");
    return main;
  }

  /** A process old enough to be judged. */
  grownUp(pid: number, change: Partial<Main> = {}): Main {
    return this.mainOf(pid, { startedAt: after(this.now, -this.health.startGraceMs), ...change });
  }
}

const NOTHING_REMEMBERED: RuntimeState = {
  bootId: BOOT_ID,
  main: undefined,
  runsWith: undefined,
  incarnation: 0,
  attempts: 0,
  retryAt: undefined,
  failed: false,
  launchIntent: undefined,
  recovering: undefined,
  exitedForContent: undefined,
  migratedForContent: undefined,
};

type Words = readonly string[];

/** What can be seen, by the first word of a step; the words after it are its details. */
const SIGHTS: Readonly<Record<string, (story: Story, words: Words) => void>> = {
  /** `wait 10s`, `wait 5m` */
  wait: (story, [duration = ""]) => {
    story.now = after(story.now, durationMs(duration));
  },
  /** `find 7 [foreign] [otherlaunch] [olddead]`: a look finds pid 7 running. */
  find: (story, [pid, ...how]) => {
    const foreign = how.includes("foreign") ? { launchedByUs: false, incarnation: undefined } : {};
    const main = story.grownUp(Number(pid), foreign);
    const runsWith = how.includes("otherlaunch") ? { ...main.runsWith, launchHash: "launch-0" } : main.runsWith;
    story.look({ kind: "running", main: { ...main, runsWith }, previousMainDead: how.includes("olddead") });
  },
  /** `again`: a look finds the main that is known, alone and ordinary. */
  again: (story) => story.look({ kind: "running", main: story.main, previousMainDead: false }),
  /** `die [0|1|unknown] [served]`: a look finds no main; its exit code, 1 unless told. */
  die: (story, words) => {
    const served = words.includes("served");
    story.look({ ...DEAD, exit: exitIn(words), socketServed: served });
  },
  /** `nothing [remnants]`: a look finds no main, and none was known. */
  nothing: (story, words) =>
    story.look({ ...DEAD, exit: undefined, remnants: words.includes("remnants") ? 1 : 0, socketServed: false }),
  zombie: (story, [pid]) => {
    const main = pid === undefined ? story.main : story.grownUp(Number(pid));
    story.look({ kind: "zombie_leader", main, liveTasks: 2 });
  },
  duplicate: (story) => story.look({ kind: "duplicate", mains: [identityOf(7), identityOf(8)] }),
  /** `ok`: a probe succeeds. */
  ok: (story) => story.probe({ kind: "success" }),
  /** `miss socket|api|guest|pair [D]`: a probe fails. */
  miss: (story, [what = "", state]) => story.probe(failureOf(what, state === "D" ? "D" : "S")),
  /** `stranger`: a probe of another process fails. */
  stranger: (story) => story.probe(failureOf("socket", "S"), identityOf(999)),
  unknown: (story, [error = "EMFILE"]) => story.probe({ kind: "unknown", layer: "api", error }),
  /** `says paused`: the VMM answers, and its guest does not simply run. */
  says: (story, [state = ""]) => story.probe({ kind: "guest", state: guestState(state), raw: state }),
  /** `probe dead|zombie` */
  probe: (story, [what]) => {
    story.probe(what === "dead" ? { kind: "dead" } : { kind: "zombie_leader", liveTasks: 2 });
  },
  /** `begin`: an act starts to restart the VM. */
  begin: (story) => story.observe({ type: "restart_began" }),
  attempt: (story) => {
    story.observe({
      type: "attempt_began",
      attempt: story.vm.attempts + 1,
      incarnation: story.vm.incarnation + 1,
    });
  },
  launch: (story, [pid]) => story.observe({ type: "launched", main: story.mainOf(Number(pid)) }),
  /** `healthy`, `slow`: how the act ends with the main that it launched. */
  healthy: (story) => story.end({ kind: "healthy", main: story.main }),
  slow: (story) => story.end({ kind: "slow", main: story.main }),
  /** `found 9`: the act finds that somebody else has started the VM. */
  found: (story, [pid]) => {
    const main = story.grownUp(Number(pid), { launchedByUs: false, incarnation: undefined });
    story.end({ kind: "found", main });
  },
  well: (story) => story.end({ kind: "well_again" }),
  /** `ending`: an act is about to signal the main process. */
  ending: (story) => story.observe({ type: "ending_main" }),
  /** `fails process_died [0|1|unknown]`: an announced attempt ends; the exit code is that of what was launched. */
  fails: (story, [cause = "", ...how]) =>
    story.end({
      kind: "attempt_failed",
      cause: cause as AttemptFailure,
      error: `because of ${cause}`,
      exit: cause === "process_died" ? { process: identityOf(8), status: exitIn(how) } : undefined,
    }),
  blocked: (story, [reason = ""]) =>
    story.end({ kind: "blocked", reason: reason as BlockedReason, detail: "seen by the act" }),
  unfenceable: (story) => story.end({ kind: "unfenceable", detail: "it survives SIGKILL" }),
  abandoned: (story) => story.end({ kind: "abandoned", detail: "intent changed" }),
  /** `recover 8`: a whole act that ends well. */
  recover: (story, [pid]) => {
    tell(story, ["begin", "attempt", `launch ${pid}`, "healthy"]);
  },
  /** `try 8`: a whole act whose process dies before it was seen healthy. */
  try: (story, [pid]) => {
    tell(story, ["begin", "attempt", `launch ${pid}`, "fails process_died"]);
  },
  stopping: (story) => story.observe({ type: "stop_began" }),
  stopped: (story) => story.endStop({ kind: "stopped", durationMs: 5 }),
  stop: (story, [how, reason = ""]) => {
    if (how === "blocked")
      story.endStop({ kind: "blocked", reason: reason as BlockedReason, detail: "asked 90 s ago" });
    else if (how === "unfenceable") story.endStop({ kind: "unfenceable", detail: "it survives SIGKILL" });
    else story.endStop({ kind: "abandoned", detail: "intent changed" });
  },
  /** `desire stopped`: the record says so from now on. */
  desire: (story, [desired]) => story.write({ desired: desired as VmRecord["desired"] }),
  /** `write priority|launch|nolaunch|loss`: another part of the record changes. */
  write: (story, [part]) => {
    if (part === "launch") story.write({}, ["launch"]);
    else if (part === "nolaunch") story.write({ launch: undefined }, ["launch"]);
    else if (part === "loss") story.write({ recovery: { ...story.record.recovery, allowDataLoss: true } });
    else story.write({ priority: story.record.priority + 1 });
  },
  /** `hold on`, `lease off`, `brake on` */
  hold: (story, [on]) => {
    story.held = on === "on";
  },
  lease: (story, [on]) => {
    story.held = on === "on";
    story.leased = on === "on";
  },
  brake: (story, [on]) => {
    story.braked = on === "on";
  },
  /** The agent is killed and starts again. */
  crash: (story) => story.restartAgent(),
};

const DEAD = { kind: "dead", remnants: 0, evidence: "it is gone", detect: "event", detectionDelayMs: 1 } as const;

function tell(story: Story, steps: readonly string[]): void {
  for (const step of steps) see(story, step);
}

/** Lets one thing happen. */
export function see(story: Story, step: string): void {
  const [first = "", ...words] = step.split(" ");
  const sight = SIGHTS[first];
  assert.ok(sight !== undefined, `no story knows what "${first}" is`);
  sight(story, words);
}

function exitIn(words: Words): ExitStatus | undefined {
  if (words.includes("unknown")) return undefined;
  return { code: words.includes("0") ? 0 : 1, signal: undefined };
}

function guestState(word: string): Exclude<GuestState, "running"> {
  return word as Exclude<GuestState, "running">;
}

export function failureOf(what: string, processState: ProbeFailure["processState"]): ProbeFailure {
  return {
    kind: "failure",
    layer: what === "api" || what === "guest" ? what : "socket",
    error: `${what} failed`,
    apiSilent: what === "socket" || what === "pair",
    failedGuestProbes: what === "guest" || what === "pair" ? ["tcp"] : [],
    processState,
  };
}

function durationMs(text: string): number {
  const value = Number.parseFloat(text);
  return text.endsWith("m") ? value * 60_000 : value * 1_000;
}

/** What is wanted now: `start`, `retry in 10s`, `stop`, ...; empty for nothing. */
export function wantedOf(story: Story): string {
  const work = workWanted(story.vm, story.situation);
  if (work === undefined) return "";
  const inMs = work.dueAt - story.now;
  const when = inMs > 0 ? ` in ${inMs / 1_000}s` : "";
  if (work.kind === "stop") return `stop${when}`;
  return `${work.mode}${work.class === "first" ? "" : ` ${work.class}`}${when}`;
}

/** An event as one word: its type and the one detail that tells it from its like. */
export function eventWord(event: ReliabilityEvent): string {
  switch (event.type) {
    case "orphan_detected":
    case "recovery_blocked":
      return `${event.type}:${event.reason}`;
    case "attempt_failed":
      return `${event.recovery ? "recovery" : "start"}_failed:${event.cause}`;
    case "recovery_starting":
    case "recovery_attempting":
    case "recovery_successful":
    case "vm_starting":
    case "vm_started":
      return `${event.type}#${event.attempt}`;
    case "health_check_failed":
      return `${event.type}#${event.failureCount}`;
    case "vm_exited":
      return `${event.type}:${event.exitCode ?? "unknown"}`;
    default:
      return event.type;
  }
}

/** @returns the steps as they really went */
export function go(steps: readonly StoryStep[], opening: Opening = {}): readonly StoryStep[] {
  const story = new Story(opening);
  return steps.map(([seen]) => {
    story.events = [];
    see(story, seen);
    const said = story.events.filter((event) => event.type !== "probe_finished").map(eventWord);
    const { phase } = story.vm;
    const name = phase.name === "blocked" ? `blocked:${phase.reason}` : phase.name;
    return [seen, name, wantedOf(story), said.join(" ")];
  });
}

/** A test whose name is the story's sentence. */
export function story(sentence: string, opening: Opening, steps: readonly StoryStep[]): void {
  test(sentence, () => {
    assert.deepEqual(go(steps, opening), steps);
  });
}
