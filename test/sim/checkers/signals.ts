/**
 * Every signal and every request to shut down: to whom, on what evidence, and how often.
 * @module
 */

import type { VmRecord } from "../../../src/domain/vm_record.ts";
import type { AgentLife } from "../agent_life.ts";
import { isOwned, mainsOf } from "../ownership.ts";
import type { SimProcess } from "../sim_process.ts";
import type { Act, Blame, Checker, MakeChecker } from "../watch.ts";
import type { World } from "../world.ts";
import { describe } from "./launches.ts";
import { judgeIntent } from "./permission.ts";

const HOUR_MS = 3_600_000;
/** What SIGTERM is given before SIGKILL, with a little less for the time that calls take. */
const TERM_GRACE_MS_MIN = 4_500;

interface ForcedStop {
  readonly key: string;
  readonly at: number;
}

export const watchSignals: MakeChecker = (world, blame) => {
  const { host } = world;
  /** Of this boot, since what the agent keeps about them was last lost. */
  let forcedStops: ForcedStop[] = [];
  /** VMs that the present agent has declared unhealthy, and whether its brake holds. */
  let unhealthy = new Map<string, number>();
  let isBraking = false;
  /** When each VM's API was last told to shut its guest down, heard or not. */
  const askTriedAt = new Map<string, number>();

  const judgeForce = (act: Act, id: string, record: VmRecord, target: SimProcess, what: string): string | undefined => {
    const known = act.known.of(id);
    const policy = world.recoveryPolicy(id);
    const isAllowed =
      record.recovery.allowDataLoss ?? (policy.allowDataLoss || world.previousPolicy.recovery.allowDataLoss);
    if (!isAllowed) return "loss is not allowed";
    if (known.lastApi !== "silent" || known.lastTcp !== "failed") {
      return `no permitted pair: api ${known.lastApi}, tcp ${known.lastTcp}`;
    }
    if (!unhealthy.has(id)) return "it was not marked as unhealthy";
    if (isBraking) return "the brake is engaged";
    if (what === "shutdown request") return undefined;
    if (forcedStops.some((stop) => stop.key === target.key)) return undefined;
    if (host.store.runtimeDisturbedAt > 0) {
      forcedStops = forcedStops.filter((stop) => stop.at > host.store.runtimeDisturbedAt);
    }
    const recent = forcedStops.filter((stop) => host.now - stop.at < HOUR_MS * 0.99);
    const stopsMax = Math.max(policy.maxForcedStops, world.previousPolicy.recovery.maxForcedStops);
    if (recent.length >= stopsMax) return `${recent.length} forced stops in this hour`;
    forcedStops = [...recent, { key: target.key, at: host.now }];
    return undefined;
  };

  const judgeStop = (record: VmRecord, target: SimProcess, what: string): string | undefined => {
    if (record.launch === undefined) return "the record has no launch";
    if (what === "shutdown request") return undefined;
    if (what === "SIGKILL" && host.now - (target.terminatedAt ?? host.now) < TERM_GRACE_MS_MIN)
      return "no SIGTERM before";
    if (record.vmm === "process") return undefined;
    const isForced = record.stop === "force" || world.recoveryPolicy(record.id).allowDataLoss;
    const wasForced = world.previousPolicy.recovery.allowDataLoss;
    if (!isForced && !wasForced) return "force is not allowed";
    if (target.askedAt === undefined) {
      // Whoever could not be asked need not be waited for.
      return (askTriedAt.get(record.id) ?? -1) < target.startedAt ? "the guest was not asked" : undefined;
    }
    const askedForMs = host.now - target.askedAt;
    const timeoutMs = Math.min(
      world.recoveryPolicy(record.id).shutdownTimeoutMs,
      world.previousPolicy.recovery.shutdownTimeoutMs,
    );
    return askedForMs < timeoutMs * 0.99 ? `the guest was asked only ${askedForMs} ms before` : undefined;
  };

  /** Why this record does not permit the act on a living main; undefined: it does. */
  const objection = (act: Act, record: VmRecord, target: SimProcess, what: string): string | undefined => {
    const known = act.known.of(record.id);
    const isLaunchedByAgent = target.startedBy === "agent";
    const isAnswering = known.answeredBy === target.key;
    const isEmpty = known.deadGuestAnswers >= 2 && isAnswering && isLaunchedByAgent;
    if (isEmpty || (known.shutDownAnswers >= 1 && isAnswering)) return undefined;
    if (record.desired === "stopped") return judgeStop(record, target, what);
    if (record.vmm === "process") return "a process VM is not touched on suspicion";
    return judgeForce(act, record.id, record, target, what);
  };

  const judge = (act: Act, target: SimProcess, what: string): void => {
    const id = vmOf(world, target);
    if (id === undefined) {
      blame("no stranger is signalled", target.vm ?? "-", `${what} to ${describe(target)}`);
      return;
    }
    judgeIntent(world, blame, act, id, what);
    const records = host.registry.recordsSince(id, act.known.recordBeganAt(id));
    const record = records[0] ?? host.registry.lastRecord(id);
    if (record === undefined) return;
    const mains = mainsOf(host.processes, record).filter((main) => main.startedAt < act.known.scanBeganAt);
    if (mains.length > 1) {
      blame("two mains: touch neither", id, `${what} to ${describe(target)} beside ${mains.map(describe).join(", ")}`);
      return;
    }
    const main = mains[0];
    if (main === undefined) return;
    if (target.state === "D" && record.desired === "running" && !isForcible(world, id)) {
      blame("a process in D is not touched", id, `${what} to ${describe(target)}`);
    }
    const objections = (records.length === 0 ? [record] : records).map((each) => objection(act, each, main, what));
    if (objections.every((each) => each !== undefined)) {
      blame("no living VMM is touched on suspicion", id, `${what} to ${describe(target)}: ${objections.join("; ")}`);
    }
  };

  const checker: Checker = {
    onSignal(act, target, signal) {
      judge(act, target, signal);
    },
    onShutdownRequest(act, vmId, target) {
      judgeIntent(world, blame, act, vmId, "shutdown request");
      askTriedAt.set(vmId, host.now);
      if (target !== undefined && target.vm === vmId) judge(act, target, "shutdown request");
    },
    onLifeBegun(life) {
      if (world.agent !== undefined && world.agent !== life) return;
      unhealthy = new Map();
      isBraking = false;
    },
    onEvent(life, event) {
      if (!life.holdsLock) return;
      switch (event.type) {
        case "marked_unhealthy":
          unhealthy.set(event.vmId, host.now);
          judgeVerdict(world, blame, life, event.vmId, event.consecutiveFailures);
          return;
        case "health_restored":
        case "recovery_successful":
        case "vm_started":
        case "vm_deleted":
        case "vm_stopped":
          unhealthy.delete(event.vmId);
          return;
        case "probe_finished":
          judgeProbe(world, blame, life, event.vmId, event.outcome);
          return;
        case "brake_engaged":
          isBraking = true;
          return;
        case "brake_released":
          isBraking = false;
          return;
        default:
          return;
      }
    },
  };
  return checker;
};

function isForcible(world: World, id: string): boolean {
  return world.recoveryPolicy(id).allowDataLoss || world.previousPolicy.recovery.allowDataLoss;
}

/** The VM to which a process belongs by the rules, whatever it really is. */
function vmOf(world: World, target: SimProcess): string | undefined {
  const { registry, processes } = world.host;
  for (const id of registry.ids()) {
    const record = registry.lastRecord(id);
    if (record === undefined) continue;
    if (isOwned(target, record) || mainsOf(processes, record).includes(target)) return id;
  }
  return undefined;
}

/** Unknown is a third result: a probe may be called a failure only if something was answered that is one. */
function judgeProbe(
  world: World,
  blame: Blame,
  life: AgentLife,
  id: string,
  outcome: "success" | "failure" | "unknown",
): void {
  const known = life.knowledge.of(id);
  if (outcome === "failure") {
    // An agent that was stopped for a moment only cannot tell its own lateness from the VM's.
    const wasJustThawed = world.host.now - life.thawedAt < 500;
    if (!known.mayProbeFail && !wasJustThawed)
      blame("unknown is no failure", id, "a probe failed, and no answer that it had was one");
    known.failuresInRow++;
  } else if (outcome === "success") {
    known.failuresInRow = 0;
  }
  known.mayProbeFail = false;
}

function judgeVerdict(world: World, blame: Blame, life: AgentLife, id: string, failures: number): void {
  const known = life.knowledge.of(id);
  const threshold = Math.min(world.healthPolicy(id).failureThreshold, world.previousPolicy.health.failureThreshold);
  if (Math.min(known.failuresInRow, failures) < threshold) {
    const what = `after ${known.failuresInRow} failed probes in a row (it says ${failures}) of ${threshold}`;
    blame("a verdict needs its threshold", id, what);
  }
}
