/**
 * A host on which nothing happens unless a test lets it: every port of the loop, in memory, on a clock that stands
 * still.
 *
 * The simulator's host has faults and a life of its own; this one has a table of processes and a registry to write
 * into.
 * @module
 */

import type { ReliabilityEvent } from "../../src/domain/event.ts";
import type { Policy } from "../../src/domain/policy.ts";
import type { ProcessFacts, ProcessIdentity } from "../../src/domain/process.ts";
import { sameProcess } from "../../src/domain/process.ts";
import type { VmId, VmRecord } from "../../src/domain/vm_record.ts";
import type { IntentEntry } from "../../src/ports/intent.ts";
import type { LaunchRequest } from "../../src/ports/launcher.ts";
import type { InvalidRecord, ReadRecord, RegistryListing } from "../../src/ports/registry.ts";
import type { HostStatus } from "../../src/ports/status_board.ts";
import type { VmmAnswer } from "../../src/ports/vmm.ts";
import type { Dependencies } from "../../src/reliability/dependencies.ts";
import { FakeClock } from "../async/fake_clock.ts";
import { Seeded } from "../async/seeded.ts";
import { BOOT_ID, factsOf, HEALTH, RECOVERY } from "../recovery/examples.ts";
import { SlowStore, settle } from "./slow_store.ts";

export const POLICY: Policy = {
  enabled: true,
  health: HEALTH,
  recovery: {
    ...RECOVERY,
    detectionIntervalMs: 60_000,
    maxConcurrentRecoveries: 4,
    maxForcedStops: 5,
    brake: { minVms: 2, fraction: 0.25, holdMs: 120_000 },
  },
  reconcileIntervalMs: 300_000,
  strayMinAgeMs: 600_000,
};

const RUNNING: VmmAnswer = { kind: "state", guest: "running", raw: "Running", id: undefined, pid: undefined };

export class QuietHost {
  readonly clock = new FakeClock();
  readonly store = new SlowStore();
  readonly events: ReliabilityEvent[] = [];
  readonly records = new Map<VmId, VmRecord | InvalidRecord>();
  readonly intents: IntentEntry[] = [];
  readonly processes: ProcessFacts[] = [];
  readonly launched: VmId[] = [];
  readonly signals: string[] = [];
  /** Whole listings and single records that were read. */
  readonly reads: string[] = [];
  /** While set, a listing shows what stood there at its beginning, and ends when `endListing` is called. */
  isListingSlow = false;
  isShuttingDown = false;
  /** What was published last. */
  status: HostStatus | undefined = undefined;
  isLockHeld = true;
  /** What is launched clears its environment. */
  clearsMarks = false;
  /** Why the process table cannot be read. */
  unreadable: string | undefined = undefined;
  endListing: () => void = () => undefined;
  /** Runs inside every look at one process, after it was seen. */
  duringInspection: () => void = () => undefined;
  answerOf: (id: VmId) => VmmAnswer | Promise<VmmAnswer> = () => RUNNING;
  /** Whether the guest at this address accepts connections. */
  guestAnswers: (address: string) => boolean = () => true;
  hint: (id: VmId | undefined) => void = () => undefined;
  holdHint: () => void = () => undefined;
  readonly #watches: { readonly identity: ProcessIdentity; readonly onExit: () => void }[] = [];
  #pid = 1_000;

  write(record: VmRecord): void {
    this.records.set(record.id, record);
  }

  /** A VMM of ours for the record, of root, that has been up for a minute. */
  run(record: VmRecord): ProcessFacts {
    this.#pid += 1;
    const argv = record.launch?.kind === "argv" ? record.launch.argv : [];
    const socket = record.socket === undefined ? [] : ["--api-sock", record.socket];
    const marks = { vmId: record.id, launchHash: record.launchHash, incarnation: 1 };
    const facts = factsOf(this.#pid, { ...marks, argv: [...argv, ...socket] });
    this.processes.push(facts);
    return facts;
  }

  /** Ends a process, and tells who watches it. */
  kill(facts: ProcessFacts): void {
    const index = this.processes.findIndex((one) => sameProcess(one.identity, facts.identity));
    if (index >= 0) this.processes.splice(index, 1);
    this.alarm(facts);
  }

  /** Tells who watches a process that it has ended, whether or not it has. */
  alarm(facts: ProcessFacts): void {
    for (const { identity, onExit } of [...this.#watches]) if (sameProcess(identity, facts.identity)) onExit();
  }

  said(type: ReliabilityEvent["type"]): readonly ReliabilityEvent[] {
    return this.events.filter((event) => event.type === type);
  }

  /** Lets time pass in steps, and everything happen that follows. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    await settle();
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left));
      await settle();
    }
  }

  get dependencies(): Dependencies {
    return {
      version: "test",
      uid: 0,
      uidOf: () => undefined,
      clock: this.clock,
      random: new Seeded(1),
      registry: this.#registry(),
      intent: {
        list: async () => ({ kind: "read", entries: [...this.intents] }),
        read: async () => ({ kind: "read", entries: [...this.intents] }),
        watch: (onHint) => {
          this.holdHint = () => onHint(undefined);
          return () => undefined;
        },
      },
      processTable: this.#processTable(),
      processEvents: {
        watch: (identity, onExit) => {
          const watch = { identity, onExit };
          this.#watches.push(watch);
          return () => {
            const index = this.#watches.indexOf(watch);
            if (index >= 0) this.#watches.splice(index, 1);
          };
        },
      },
      launcher: {
        kind: "direct",
        launch: async ({ record, incarnation }: LaunchRequest) => {
          this.launched.push(record.id);
          const { identity } = this.run(record);
          const facts = this.processes.at(-1);
          const marks = this.clearsMarks ? { vmId: undefined, incarnation: undefined } : { incarnation };
          if (facts !== undefined) this.processes.splice(-1, 1, { ...facts, ...marks, ageMs: 0 });
          return { kind: "launched", process: identity };
        },
        inspect: async () => ({ kind: "idle" }),
        consoleOf: ({ id }) => `/run/metald/console/${id}.log`,
        exitOf: async () => undefined,
        stopUnit: async () => ({ kind: "failed", error: "there are no units here" }),
      },
      vmm: {
        query: async ({ id }) => this.answerOf(id),
        shutdown: async () => ({ kind: "not_asked", error: "no such request" }),
        socketState: async () => "missing",
      },
      guestProbe: {
        tcp: async ({ host }) =>
          this.guestAnswers(host) ? { kind: "success" } : { kind: "failure", error: "refused" },
      },
      diskHolders: {
        examine: async (disks) => ({
          kind: "examined",
          holders: [],
          disks: disks.map(({ path, shared }) => ({ path, shared, keys: [path] })),
        }),
      },
      hooks: { run: async () => ({ kind: "done" }), removeLeftovers: async () => ({ kind: "done" }) },
      stateStore: this.store,
      instanceLock: {
        acquire: async () => ({ kind: "acquired", release: () => undefined, isHeld: () => this.isLockHeld }),
      },
      host: { isShuttingDown: async () => this.isShuttingDown },
      notify: { ready: () => undefined, alive: () => undefined, status: () => undefined, stopping: () => undefined },
      control: { subscribe: () => () => undefined },
      statusBoard: {
        publish: (status) => {
          this.status = status;
        },
      },
      fleetObserver: { attach: () => () => undefined },
      report: (event) => this.events.push(event),
    };
  }

  #entryOf(id: VmId, record: VmRecord | InvalidRecord): ReadRecord | InvalidRecord {
    return "kind" in record ? record : { kind: "record", id, record, source: JSON.stringify(record) };
  }

  #registry(): Dependencies["registry"] {
    return {
      path: "/var/lib/metald/vms",
      list: async (): Promise<RegistryListing> => {
        this.reads.push("*");
        const entries = [...this.records].map(([id, record]) => this.#entryOf(id, record));
        if (this.isListingSlow) {
          await new Promise<void>((resolve) => {
            this.endListing = resolve;
          });
        }
        return { kind: "listed", entries };
      },
      read: async (id) => {
        this.reads.push(id);
        const record = this.records.get(id);
        return record === undefined ? { kind: "absent" } : this.#entryOf(id, record);
      },
      watch: (onHint) => {
        this.hint = onHint;
        return () => undefined;
      },
    };
  }

  #processTable(): Dependencies["processTable"] {
    const find = (identity: ProcessIdentity) => this.processes.find((one) => sameProcess(one.identity, identity));
    return {
      bootId: BOOT_ID,
      scan: async () =>
        this.unreadable === undefined
          ? { kind: "scanned", startedAt: this.clock.monotonic(), processes: [...this.processes] }
          : { kind: "unknown", error: this.unreadable },
      describe: async (identity) => find(identity),
      inspect: async (identity) => {
        const facts = find(identity);
        this.duringInspection();
        return facts === undefined ? { kind: "dead" } : { kind: "alive", state: facts.state, cpuMs: 0 };
      },
      signal: async (identity, signal) => {
        const facts = find(identity);
        if (facts === undefined) return { kind: "gone" };
        this.signals.push(`${signal} ${facts.vmId ?? "?"}`);
        this.kill(facts);
        return { kind: "sent" };
      },
      sleepsIn: async () => undefined,
    };
  }
}
