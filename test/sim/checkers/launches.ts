/**
 * Every launch, at the instant in which the launcher takes it.
 * @module
 */

import { isOwned, lookalikesOf, mainsOf } from "../ownership.ts";
import { isLiving, type SimProcess } from "../sim_process.ts";
import type { Checker, MakeChecker } from "../watch.ts";
import { judgeIntent } from "./permission.ts";

/** What was true for longer than this has no excuse, whether it was read or not. */
const EXCUSE_MS_MAX = 120_000;

export const watchLaunches: MakeChecker = (world, blame) => {
  const { host } = world;
  /** Whether something was so since before the agent's last reading of it began. */
  const couldKnow = (since: number, readBeganAt: number): boolean =>
    since < Math.max(readBeganAt, host.now - EXCUSE_MS_MAX);

  const checker: Checker = {
    onLaunch(act, request) {
      const { record, incarnation } = request;
      const id = record.id;
      const { life, known: knowledge } = act;
      judgeIntent(world, blame, act, id, "launch");

      const isRecordKnown = host.registry.changedAt(id) < knowledge.recordBeganAt(id);
      const inForce = host.registry.inForce(id);
      // A broken file leaves the last good record in force, which is the last that the agent has read.
      if (isRecordKnown && inForce !== undefined && host.registry.fileKind(id) === "record") {
        if (inForce.desired !== "running") blame("desired stopped is never started", id, `desired ${inForce.desired}`);
        if (inForce.launch === undefined) blame("without launch it is never started", id, "the record has no launch");
        if (inForce.contentHash !== record.contentHash) {
          blame(
            "intent is read fresh before every act",
            id,
            `launched content ${record.contentHash}, not what is on disk`,
          );
        }
      }
      if (!world.policy.enabled || !world.recoveryPolicy(id).enabled) {
        if (host.now - world.policyChangedAt > EXCUSE_MS_MAX) blame("disabled means no action", id, "launch");
      }
      // Another act may have asked since this one did.
      const isFreshShutdown = host.now - host.shutdownBeganAt < 1_000 + 4 * life.latency.slowMsMax;
      if (host.isShuttingDown && !isFreshShutdown && couldKnow(host.shutdownBeganAt, knowledge.hostReadBeganAt)) {
        blame("nothing is started during a shutdown", id, `it began at ${host.shutdownBeganAt}`);
      }

      const job = host.jobs.get(id);
      if (job !== undefined && couldKnow(job.takenAt, knowledge.scanBeganAt)) {
        blame("never two VMMs for one VM", id, "a launch of it is still queued");
      }
      for (const process of host.processes.living()) {
        // What another started beside its VMM bears no mark, so nobody can tell.
        const isOfVm = (process.vm === id && process.role === "vmm") || isOwned(process, record);
        if (isOfVm && couldKnow(process.startedAt, knowledge.scanBeganAt)) {
          blame("never two VMMs for one VM", id, `launch while ${describe(process)} lives`);
        }
      }
      for (const process of [...mainsOf(host.processes, record), ...lookalikesOf(host.processes, record)]) {
        if (couldKnow(process.startedAt, knowledge.scanBeganAt)) {
          blame("a look-alike or a main blocks a start", id, `launch while ${describe(process)} lives`);
        }
      }
      for (const disk of record.disks) {
        if (disk.shared) continue;
        const readBeganAt = knowledge.diskReadBeganAt.get(disk.path) ?? Number.NEGATIVE_INFINITY;
        for (const process of host.processes.living()) {
          const openedAt = process.openDisks.get(disk.path);
          if (openedAt === undefined) continue;
          const isOurs = process.startedBy === "agent" && process.startedAt >= life.startedAt;
          if (isOurs || couldKnow(openedAt, readBeganAt)) {
            blame("at most one VMM per disk", id, `${describe(process)} holds ${disk.path} open for writing`);
          }
        }
      }
      const server = record.socket === undefined ? undefined : host.serverOf(record.socket);
      if (server !== undefined && couldKnow(server.startedAt, knowledge.of(id).socketReadBeganAt)) {
        blame("nothing starts while the socket is another's", id, `${describe(server)} serves it`);
      }

      const saved = world.savedBy(life, id);
      if (saved?.launchIntent === undefined || saved.launchIntent.incarnation !== incarnation) {
        blame("the attempt is on disk before the launch", id, `saved intent: ${JSON.stringify(saved?.launchIntent)}`);
      }
      if (record.contentHash === knowledge.of(id).migratedContent) {
        blame("after postmigrate never started until its record changes", id, "launch");
      }
    },

    /** Whatever the excuses: two VMMs of one VM that the agent started are its doing. */
    onSpawn(process) {
      if (process.role !== "vmm" || process.vm === undefined || process.startedBy !== "agent") return;
      for (const other of host.livingVmms(process.vm)) {
        if (other === process || other.startedBy !== "agent") continue;
        blame("never two VMMs for one VM", process.vm, `${describe(process)} beside ${describe(other)}`);
      }
    },

    onEvent(life, event) {
      // A record that was deleted and made anew is another.
      if (event.type === "vm_deleted") life.knowledge.of(event.vmId).migratedContent = undefined;
    },

    onHook(act, vmId) {
      judgeIntent(world, blame, act, vmId, "hook");
    },

    onUnlink(act, path) {
      for (const vm of host.vms.values()) if (vm.socket === path) judgeIntent(world, blame, act, vm.id, "unlink");
      const server = host.serverOf(path);
      if (server !== undefined && couldKnow(server.startedAt, act.known.scanBeganAt)) {
        blame("a socket is unlinked once nobody serves it", server.vm ?? "-", `${describe(server)} serves ${path}`);
      }
    },
  };
  return checker;
};

export function describe(process: SimProcess): string {
  const { pid, startTicks } = process.identity;
  const state = isLiving(process) ? process.state : "dead";
  return `${process.exe} ${pid}/${startTicks} (${process.role}, ${state}, of ${process.vm ?? "nobody"})`;
}
