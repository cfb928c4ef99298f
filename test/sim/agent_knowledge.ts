/**
 * What one life of the agent has been told, by what was delivered to it.
 *
 * A checker may blame an agent only for what it could know: a fact that was true since before the agent's last reading of it
 * began. Instants are the world's; minus infinity: never read.
 * @module
 */

/** An own reading is at most so much older than one that was made beside it. */
const OWN_READING_MS_MAX = 15_000;

export interface VmKnowledge {
  recordReadBeganAt: number;
  recordReadEndedAt: number;
  intentReadBeganAt: number;
  intentReadEndedAt: number;
  socketReadBeganAt: number;
  /** An answer since the last finished probe allowed that probe to be a failure. */
  mayProbeFail: boolean;
  /** Finished probes in a row that were failures and could be. */
  failuresInRow: number;
  lastApi: "none" | "ok" | "silent" | "wrong";
  lastTcp: "none" | "ok" | "failed";
  /** Key of the process that answered last, and how often in a row it said that its guest does not run. */
  answeredBy: string | undefined;
  deadGuestAnswers: number;
  shutDownAnswers: number;
  /** Keys of the processes seen well by the API and by the guest probe last. */
  apiWellKey: string | undefined;
  tcpWellKey: string | undefined;
  /** For a VM without an API: the process last seen alive. */
  aliveKey: string | undefined;
  migratedContent: string | undefined;
}

export class AgentKnowledge {
  readonly #vms = new Map<string, VmKnowledge>();
  scanBeganAt = Number.NEGATIVE_INFINITY;
  listBeganAt = Number.NEGATIVE_INFINITY;
  listEndedAt = Number.NEGATIVE_INFINITY;
  intentListBeganAt = Number.NEGATIVE_INFINITY;
  intentListEndedAt = Number.NEGATIVE_INFINITY;
  hostReadBeganAt = Number.NEGATIVE_INFINITY;
  readonly diskReadBeganAt = new Map<string, number>();

  of(id: string): VmKnowledge {
    let vm = this.#vms.get(id);
    if (vm === undefined) {
      vm = {
        recordReadBeganAt: Number.NEGATIVE_INFINITY,
        recordReadEndedAt: Number.NEGATIVE_INFINITY,
        intentReadBeganAt: Number.NEGATIVE_INFINITY,
        intentReadEndedAt: Number.NEGATIVE_INFINITY,
        socketReadBeganAt: Number.NEGATIVE_INFINITY,
        mayProbeFail: false,
        failuresInRow: 0,
        lastApi: "none",
        lastTcp: "none",
        answeredBy: undefined,
        deadGuestAnswers: 0,
        shutDownAnswers: 0,
        apiWellKey: undefined,
        tcpWellKey: undefined,
        aliveKey: undefined,
        migratedContent: undefined,
      };
      this.#vms.set(id, vm);
    }
    return vm;
  }

  /** What is known now, to judge by later: between the call of a port and its effect more may come to be known. */
  copy(): AgentKnowledge {
    const copy = new AgentKnowledge();
    for (const [id, vm] of this.#vms) copy.#vms.set(id, { ...vm });
    for (const [path, beganAt] of this.diskReadBeganAt) copy.diskReadBeganAt.set(path, beganAt);
    copy.scanBeganAt = this.scanBeganAt;
    copy.listBeganAt = this.listBeganAt;
    copy.listEndedAt = this.listEndedAt;
    copy.intentListBeganAt = this.intentListBeganAt;
    copy.intentListEndedAt = this.intentListEndedAt;
    copy.hostReadBeganAt = this.hostReadBeganAt;
    return copy;
  }

  recordBeganAt(id: string): number {
    return Math.max(this.of(id).recordReadBeganAt, this.listBeganAt);
  }

  recordEndedAt(id: string): number {
    return Math.max(this.of(id).recordReadEndedAt, this.listEndedAt);
  }

  /** Of the reading for that VM alone where there was one lately: an act is judged by what it read, not by what was read beside it. */
  intentBeganAt(id: string): number {
    const { intentReadBeganAt, intentReadEndedAt } = this.of(id);
    const isLate = intentReadEndedAt < this.intentListEndedAt - OWN_READING_MS_MAX;
    return isLate ? Math.max(intentReadBeganAt, this.intentListBeganAt) : intentReadBeganAt;
  }

  intentEndedAt(id: string): number {
    return Math.max(this.of(id).intentReadEndedAt, this.intentListEndedAt);
  }
}
