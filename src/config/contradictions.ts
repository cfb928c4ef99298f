/**
 * Durations that cannot both be meant: a probe that may last longer than the time between two probes, a ceiling below what it limits.
 *
 * Only values that somebody wrote contradict each other. A default gives way to a shorter or longer neighbour, so that
 * `{"health_check": {"interval": "1s"}}` alone is valid and its probes last at most a second; but a value that was written
 * and exceeds a default limit is an error.
 * @module
 */

import { complaint } from "./complaint.ts";
import { parseDuration } from "./durations.ts";

interface Order {
  readonly section: "health_check" | "recovery";
  /** Gives way while it is a default. */
  readonly key: string;
  readonly relation: "at most" | "at least";
  readonly of: string;
  readonly why: string;
}

const ORDERS: readonly Order[] = [
  {
    section: "health_check",
    key: "timeout",
    relation: "at most",
    of: "interval",
    why: "a probe ends before the next begins",
  },
  {
    section: "health_check",
    key: "suspect_interval",
    relation: "at most",
    of: "interval",
    why: "a suspect VM is looked at more often, not less",
  },
  {
    section: "recovery",
    key: "max_retry_interval",
    relation: "at least",
    of: "retry_interval",
    why: "it limits what grows from there",
  },
  {
    section: "recovery",
    key: "recovery_timeout",
    relation: "at least",
    of: "start_timeout",
    why: "a recovery contains a start",
  },
];

type Section = Readonly<Record<string, unknown>>;

/** The default values of one section, with those replaced that a written neighbour leaves no room for. */
export function yieldingDefaults<S extends Section>(name: string, defaults: S, written: Section): S {
  const yielded: Record<string, unknown> = { ...defaults };
  for (const { section, key, relation, of } of ORDERS) {
    if (section !== name || !Object.hasOwn(written, of)) continue;
    if (violates(relation, defaults[key], written[of])) yielded[key] = written[of];
  }
  return { ...defaults, ...yielded };
}

/** One complaint for each pair in `section` that contradicts itself. Values that are wrong by themselves are passed over. */
export function contradictionsIn(name: string, section: Section): string[] {
  return ORDERS.filter((order) => order.section === name).flatMap(({ key, relation, of, why }) => {
    const limit = section[of];
    if (!violates(relation, section[key], limit)) return [];
    return [complaint(`${name}.${key}`, `it must be ${relation} ${name}.${of} (${limit}), since ${why}`, section[key])];
  });
}

function violates(relation: Order["relation"], value: unknown, limit: unknown): boolean {
  const valueMs = typeof value === "string" ? parseDuration(value) : undefined;
  const limitMs = typeof limit === "string" ? parseDuration(limit) : undefined;
  if (valueMs === undefined || limitMs === undefined) return false;
  return relation === "at most" ? valueMs > limitMs : valueMs < limitMs;
}
