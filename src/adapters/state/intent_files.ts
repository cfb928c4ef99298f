/**
 * The texts of holds and leases.
 *
 * An unknown key is an error: a mistyped `expires` would turn an hour into for ever, in silence.
 * @module
 */

import { createHash } from "node:crypto";
import { z } from "zod";
import { complaint, complaintsOf } from "../../config/complaint.ts";
import { JsoncError, parseJsonc } from "../../config/jsonc.ts";
import { section } from "../../config/leaves.ts";
import { type WallMs, wallMs } from "../../domain/time.ts";
import type { VmId } from "../../domain/vm_record.ts";
import type { Hold, Lease } from "../../ports/intent.ts";

const WORDS_LENGTH_MAX = 500;

const words = z.custom<string>(
  (value) => typeof value === "string" && value.trim() !== "" && value.length <= WORDS_LENGTH_MAX,
  `it must be a text of 1 to ${WORDS_LENGTH_MAX} characters`,
);
const instant = z.iso
  .datetime({ offset: true, error: 'it must be an RFC 3339 instant such as "2026-01-02T05:00:00Z"' })
  .transform((text): WallMs => wallMs(Date.parse(text)));
const count = z.custom<number>(
  (value) => Number.isSafeInteger(value) && Number(value) > 0,
  "it must be a positive whole number",
);

const holdFile = section({ reason: words, actor: words, expires: instant.exactOptional() });
const leaseFile = section({
  op: words,
  expires: instant,
  pid: count.exactOptional(),
  start_ticks: count.exactOptional(),
  boot_id: words.exactOptional(),
});

export type IntentText<T> =
  | { readonly kind: "valid"; readonly entry: T }
  /** One line naming key, rule and value. */
  | { readonly kind: "invalid"; readonly error: string };

/** @param vmId undefined: the hold of every VM */
export function parseHold(vmId: VmId | undefined, text: string, writtenAt: WallMs): IntentText<Hold> {
  const file = parse(holdFile, text);
  if (file.kind === "invalid") return file;
  const { reason, actor, expires } = file.entry;
  return { kind: "valid", entry: { kind: "hold", vmId, reason, actor, expiresAt: expires, writtenAt } };
}

/** The holder counts only when all three of its keys are given: a pid alone names whoever got it since. */
export function parseLease(vmId: VmId, text: string): IntentText<Lease> {
  const file = parse(leaseFile, text);
  if (file.kind === "invalid") return file;
  const { op, expires, pid, start_ticks: startTicks, boot_id: bootId } = file.entry;
  const holder =
    pid === undefined || startTicks === undefined || bootId === undefined ? undefined : { bootId, pid, startTicks };
  const fingerprint = createHash("sha256").update(text).digest("hex").slice(0, 16);
  return { kind: "valid", entry: { kind: "lease", vmId, op, expiresAt: expires, holder, fingerprint } };
}

function parse<T>(shape: z.ZodType<T>, text: string): IntentText<T> {
  let value: unknown;
  try {
    value = parseJsonc(text);
  } catch (error) {
    if (!(error instanceof JsoncError)) throw error;
    return { kind: "invalid", error: complaint("", `it must be JSON: ${error.message}`, text) };
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return { kind: "valid", entry: parsed.data };
  return { kind: "invalid", error: complaintsOf(parsed.error, value, KNOWN_KEYS).join("; ") };
}

const KNOWN_KEYS = [...new Set([...Object.keys(holdFile.shape), ...Object.keys(leaseFile.shape)])];
