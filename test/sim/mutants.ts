/**
 * Ways to break the core, each by a change of its text, that the checkers must catch.
 *
 * Each breaks a rule of section 1 of the specification. A change of the core may make a text here stale: the run then says that
 * it does not occur exactly once.
 * @module
 */

export interface Edit {
  /** The file to change, below the top of the project. */
  readonly file: string;
  /** Text that occurs there exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  /** What would go wrong on a host. */
  readonly why: string;
  readonly edits: readonly Edit[];
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "trust-record",
    why: "ends what its memory names instead of what the host shows, so that the rest of the old VMM stays",
    edits: [
      {
        file: "src/recovery/fence.ts",
        find: "const { owned } = processes;",
        replace: "const owned = processes.owned.filter((facts) => facts.identity.pid === options.known?.pid);",
      },
    ],
  },
  {
    name: "ignore-start-ticks",
    why: "takes any process with the pid of a dead VMM for that VMM, so that nobody notices its death",
    edits: [
      {
        file: "src/reliability/lookout.ts",
        find: "const seen = await processTable.inspect(main.identity);",
        replace: `const scan = await processTable.scan();
      const holder = scan.kind === "scanned" && scan.processes.find((each) => each.identity.pid === main.identity.pid);
      const seen = await processTable.inspect(holder ? holder.identity : main.identity);`,
      },
    ],
  },
  {
    name: "skip-fencing",
    why: "starts a VM while processes of the last start still live",
    edits: [
      {
        file: "src/recovery/fence.ts",
        find: "const { owned } = processes;",
        replace: "const owned: typeof processes.owned = [];",
      },
    ],
  },
  {
    name: "unknown-is-failure",
    why: "calls a VM unhealthy since the agent ran out of file descriptors",
    edits: [
      {
        file: "src/recovery/saw_probe.ts",
        find: 'report(draft, "unknown", probe.durationMs);',
        replace: `report(draft, "failure", probe.durationMs);
      sawFailure(
        draft,
        main,
        {
          kind: "failure",
          layer: "socket",
          error: result.error,
          apiSilent: true,
          failedGuestProbes: [],
          processState: "S",
        },
        probe.durationMs,
      );
      if (result.kind === "unknown") return;`,
      },
    ],
  },
  {
    name: "ignore-holds",
    why: "acts on a VM on which somebody else is at work",
    edits: [
      {
        file: "src/recovery/holding.ts",
        find: "  let holding = NOT_HELD;\n",
        replace: "  let holding = NOT_HELD;\n  if (entries.length > 0) return NOT_HELD;\n",
      },
    ],
  },
  {
    name: "stale-intent",
    why: "starts a VM that was stopped, or was given another disk, since its record was last read",
    edits: [
      {
        file: "src/recovery/fresh_intent.ts",
        find: "const entry = await ports.registry.read(id);",
        replace: `const entry = { kind: "record", id, record: lastGood, source: "" } as ReadRecord;`,
      },
    ],
  },
  {
    name: "no-backoff",
    why: "restarts a VM that dies at once as fast as it can",
    edits: [
      {
        file: "src/recovery/backoff.ts",
        find: "return jittered(delayMs, policy.jitter, chance);",
        replace: "return 0 * jittered(delayMs, policy.jitter, chance);",
      },
    ],
  },
  {
    name: "forget-desired",
    why: "starts a VM that its record wants stopped",
    edits: [
      {
        file: "src/recovery/fresh_intent.ts",
        find: "if (record.desired !== desired) return",
        replace: "if (record.desired === undefined) return",
      },
      {
        file: "src/reliability/fleet.ts",
        find: "if (desired !== record.desired ||",
        replace: "if (desired === undefined ||",
      },
    ],
  },
  {
    name: "recovered-too-early",
    why: "says that a VM is recovered since a process was created",
    edits: [
      {
        file: "src/recovery/restart.ts",
        find: "let pollMs = VERIFY_FIRST_MS;",
        replace: `let pollMs = VERIFY_FIRST_MS;
    if (main !== undefined) return { kind: "healthy", main };`,
      },
    ],
  },
  {
    name: "empty-registry",
    why: "believes an unmounted registry and forgets all VMs",
    edits: [
      {
        file: "src/reliability/inventory.ts",
        find: "if (!believed && deleted.length >= LOSS_MIN",
        replace: "if (!believed && deleted.length >= 1_000 * LOSS_MIN",
      },
    ],
  },
  {
    name: "fence-slow-start",
    why: "kills a guest in the middle of its file system check",
    edits: [
      {
        file: "src/recovery/restart.ts",
        find: 'if (result.kind === "zombie_leader" || clock.monotonic() >= deadline) {',
        replace: `if (clock.monotonic() >= deadline) {
        const { endProcess } = await import("./end_process.ts");
        await endProcess(this.#world.ports, main.identity, () => this.#objection());
        return await this.#fail("timeout", "not healthy before start_timeout");
      }
      if (result.kind === "zombie_leader") {`,
      },
    ],
  },
  {
    name: "zombie-leader-dead",
    why: "takes a VMM whose leader thread has ended for dead while its other threads write to the disk",
    edits: [
      {
        file: "src/reliability/lookout.ts",
        find: 'if (seen.kind === "zombie_leader") {',
        replace: 'if (seen.kind === "zombie_leader" && seen.liveTasks < 0) {',
      },
      {
        file: "src/reliability/lookout.ts",
        find: 'if (seen.kind !== "dead") return;',
        replace: 'if (seen.kind !== "dead" && seen.kind !== "zombie_leader") return;',
      },
      {
        file: "src/recovery/ownership.ts",
        find: "  for (const facts of processes) {\n    const unitRecord",
        replace: '  for (const facts of processes) {\n    if (facts.state === "Z") continue;\n    const unitRecord',
      },
    ],
  },
];
