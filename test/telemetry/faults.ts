/**
 * The ways in which a collector misbehaves.
 * @module
 */

import type { Behaviour } from "./collector.ts";

export interface Fault {
  readonly name: string;
  readonly behaviour: Behaviour | "down";
}

export const FAULTS: readonly Fault[] = [
  { name: "is down", behaviour: "down" },
  { name: "is a black hole", behaviour: { kind: "black_hole" } },
  { name: "drips", behaviour: { kind: "drips" } },
  { name: "floods", behaviour: { kind: "floods" } },
  { name: "hangs up", behaviour: { kind: "hangs_up" } },
  { name: "says 503", behaviour: { kind: "answers", status: 503, body: "busy" } },
  { name: "asks to wait", behaviour: { kind: "answers", status: 429, body: "", headers: { "retry-after": "1" } } },
  { name: "says 400", behaviour: { kind: "answers", status: 400, body: "no" } },
  { name: "answers garbage", behaviour: { kind: "answers", status: 200, body: "<html>" } },
];
