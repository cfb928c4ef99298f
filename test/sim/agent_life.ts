/**
 * One process of the agent, from its start to its end, as the host sees it.
 *
 * `kill -9` takes it away between any two steps: what it had asked of the kernel and is not done stays undone, and nothing is
 * delivered any more. SIGSTOP lets deliveries wait. Every port call passes through here.
 * @module
 */

import { AgentKnowledge } from "./agent_knowledge.ts";
import type { SimHost } from "./sim_host.ts";
import type { SimRandom } from "./sim_random.ts";

/** How long the calls of an agent take. */
export interface Latency {
  /** Probability that a call takes no time at all. */
  readonly instant: number;
  readonly usualMsMax: number;
  readonly slow: number;
  readonly slowMsMax: number;
}

/** What a call comes to, and who is told when it has been delivered. */
export interface PortCall<T> {
  readonly effect: () => T;
  /** When the agent has the answer. */
  readonly delivered?: (value: T, beganAt: number) => void;
  /** Time it takes beside the drawn latency, known once it has taken effect. */
  readonly takesMs?: (value: T) => number;
  /** What the agent gets instead if it was stopped for so long that its own deadline passed first. */
  readonly late?: { readonly afterMs: number; readonly value: T };
}

export class AgentLife {
  readonly number: number;
  readonly host: SimHost;
  readonly random: SimRandom;
  readonly latency: Latency;
  readonly abort = new AbortController();
  readonly knowledge = new AgentKnowledge();
  readonly startedAt: number;
  isDead = false;
  holdsLock = false;
  isFrozen = false;
  /** When it last ran on after having been stopped. */
  thawedAt = Number.NEGATIVE_INFINITY;
  /** It dies at this call, before or after its effect. */
  killAtCall: { count: number; readonly isAfterEffect: boolean } | undefined;
  onKilled: () => void = () => {};
  readonly #waiting: (() => void)[] = [];

  constructor(number: number, host: SimHost, random: SimRandom, latency: Latency) {
    this.number = number;
    this.host = host;
    this.random = random;
    this.latency = latency;
    this.startedAt = host.now;
  }

  call<T>(call: PortCall<T>): Promise<T> {
    const { host } = this;
    if (this.isDead) return never();
    const isLastCall = this.#isLastCall();
    if (isLastCall) {
      if (this.killAtCall?.isAfterEffect === true) call.effect();
      this.onKilled();
      return never();
    }
    const beganAt = host.now;
    const drawn = this.random.next();
    const { latency } = this;
    if (drawn < latency.instant) {
      const value = call.effect();
      const takesMs = call.takesMs === undefined ? 0 : call.takesMs(value);
      if (takesMs > 0) return new Promise((resolve) => this.#deliverAfter(takesMs, call, value, beganAt, resolve));
      call.delivered?.(value, beganAt);
      return Promise.resolve(value);
    }
    const msMax = this.random.next() < latency.slow ? latency.slowMsMax : latency.usualMsMax;
    return new Promise((resolve) => {
      host.clock.after(this.random.betweenMs(0, msMax), () => {
        if (this.isDead) return;
        const value = call.effect();
        const takesMs = call.takesMs === undefined ? 0 : call.takesMs(value);
        const restMs = this.random.betweenMs(0, msMax);
        this.#deliverAfter(takesMs + restMs, call, value, beganAt, resolve);
      });
    });
  }

  /** Runs what belongs to this process once it runs: never when dead, later when stopped. */
  deliver(run: () => void): void {
    if (this.isDead) return;
    if (this.isFrozen) this.#waiting.push(run);
    else run();
  }

  freeze(): void {
    this.isFrozen = true;
  }

  thaw(): void {
    if (!this.isFrozen) return;
    this.isFrozen = false;
    this.thawedAt = this.host.now;
    // Each in an event of its own, as an event loop runs them.
    for (const run of this.#waiting.splice(0)) this.host.clock.after(0, () => this.deliver(run));
  }

  #isLastCall(): boolean {
    const kill = this.killAtCall;
    if (kill === undefined) return false;
    kill.count--;
    return kill.count <= 0;
  }

  #deliverAfter<T>(
    durationMs: number,
    call: PortCall<T>,
    value: T,
    beganAt: number,
    resolve: (value: T) => void,
  ): void {
    this.host.clock.after(durationMs, () => {
      const dueAt = this.host.now;
      this.deliver(() => {
        const { late } = call;
        const isLate = late !== undefined && this.host.now > dueAt && this.host.now - beganAt > late.afterMs;
        if (isLate && this.random.chance(0.7)) {
          resolve(late.value);
          return;
        }
        call.delivered?.(value, beganAt);
        resolve(value);
      });
    });
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
