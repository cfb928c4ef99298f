/**
 * The interface between the world and those who judge it: what an agent does to a host and says of it, as it happens.
 * @module
 */

import type { ReliabilityEvent } from "../../src/domain/event.ts";
import type { LaunchRequest } from "../../src/ports/launcher.ts";
import type { AgentKnowledge } from "./agent_knowledge.ts";
import type { AgentLife } from "./agent_life.ts";
import type { SimProcess } from "./sim_process.ts";
import type { World } from "./world.ts";

/** Records a violation and ends the run. */
export type Blame = (rule: string, subject: string, what: string) => void;

/** Something that an agent does to the host, and what it knew when it asked for it. */
export interface Act {
  readonly life: AgentLife;
  readonly known: AgentKnowledge;
}

/** What a checker looks at; every method is called at the instant of the effect. */
export interface Checker {
  onLaunch?(act: Act, request: LaunchRequest): void;
  /** A process of the VM has come to life, by whomever. */
  onSpawn?(process: SimProcess): void;
  onExit?(process: SimProcess): void;
  onSignal?(act: Act, target: SimProcess, signal: "SIGTERM" | "SIGKILL"): void;
  onShutdownRequest?(act: Act, vmId: string, target: SimProcess | undefined): void;
  onHook?(act: Act, vmId: string): void;
  onUnlink?(act: Act, path: string): void;
  onEvent?(life: AgentLife, event: ReliabilityEvent): void;
  onLifeBegun?(life: AgentLife): void;
  onLifeEnded?(life: AgentLife, how: "killed" | "stopped"): void;
}

export type MakeChecker = (world: World, blame: Blame) => Checker;
