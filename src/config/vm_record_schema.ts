/**
 * The record of one VM, from its text: what it may say, and what its values mean where it is silent.
 *
 * A record decides what runs as root, so it is refused as a whole when anything in it is unknown or wrong: half a record
 * would start half a VM.
 * @module
 */

import { z } from "zod";
import { VM_ID_PATTERN, type VmId, type VmRecord } from "../domain/vm_record.ts";
import { complaint, complaintsOf } from "./complaint.ts";
import { contradictionsIn } from "./contradictions.ts";
import { JsoncError, parseJsonc } from "./jsonc.ts";
import { type Document, isDocument } from "./key_paths.ts";
import { argvLaunch, unitLaunch } from "./launch_schema.ts";
import { absolutePath, flag, isAbsolutePath, list, oneOf, section, wholeNumber } from "./leaves.ts";
import { HEALTH_NAMES, healthFields, RECOVERY_NAMES, renamed, vmRecoveryFields } from "./policy_sections.ts";
import { recordHash } from "./record_hash.ts";
import { parseTcpTarget } from "./tcp_target.ts";

/** What the kernel can bind to: 108 bytes with the final NUL, https://man7.org/linux/man-pages/man7/unix.7.html */
export const SOCKET_PATH_BYTES_MAX = 107;

export type RecordReading =
  | { readonly kind: "valid"; readonly record: VmRecord }
  /** Everything that is wrong, naming key, rule and value each. */
  | { readonly kind: "invalid"; readonly errors: readonly string[] };

const socketPath = z.custom<string>(
  (value) => isAbsolutePath(value) && Buffer.byteLength(value) <= SOCKET_PATH_BYTES_MAX,
  `it must be an absolute path of at most ${SOCKET_PATH_BYTES_MAX} bytes`,
);

const disk = z.preprocess(
  (value) => (typeof value === "string" ? { path: value } : value),
  section({ path: absolutePath, shared: flag.default(false) }),
);

const tcpTarget = z
  .custom<string>(
    (value) => typeof value === "string" && parseTcpTarget(value) !== undefined,
    'it must be "host:port", with an IPv6 address in brackets',
  )
  .transform((text) => parseTcpTarget(text) ?? { host: "", port: 0 });

const plainFields = {
  id: z.custom<string>(
    (value) => typeof value === "string" && VM_ID_PATTERN.test(value),
    `it must match ${VM_ID_PATTERN}`,
  ),
  state: oneOf("running", "paused", "stopped"),
  vmm: oneOf("firecracker", "cloud-hypervisor", "qemu", "process"),
  socket: socketPath.exactOptional(),
  disks: list(disk).default([]),
  priority: wholeNumber(-1_000_000, 1_000_000).default(0),
  restart: oneOf("always", "on-failure", "never").default("always"),
  stop: oneOf("ask", "force").default("ask"),
  health_check: section({
    ...section(healthFields).exactPartial().shape,
    guest: section({ tcp: tcpTarget.exactOptional() }).default({}),
  }).prefault({}),
  recovery: section(vmRecoveryFields).exactPartial().prefault({}),
};

/** One schema for each form of `launch`, so that an error speaks of the form that was meant. */
const programSchema = section({ ...plainFields, launch: argvLaunch.exactOptional() });
const unitSchema = section({ ...plainFields, launch: unitLaunch.exactOptional() });

/** What the values are where a record is silent; the one disk stands for every disk. */
const DEFAULTS = {
  ...programSchema.partial().parse({}),
  launch: { ...argvLaunch.parse({ argv: ["/"] }), kind: undefined, argv: undefined },
  disks: [{ shared: false }],
};

const KNOWN_KEYS = [
  ...Object.keys(programSchema.shape),
  ...[
    "argv",
    "env",
    "cwd",
    "user",
    "cleanup",
    "before_start",
    "after_stop",
    "hook_timeout",
    "properties",
    "systemd_unit",
  ].map((key) => `launch.${key}`),
  ...Object.keys(healthFields).map((key) => `health_check.${key}`),
  "health_check.guest.tcp",
  ...Object.keys(vmRecoveryFields).map((key) => `recovery.${key}`),
];

/**
 * Reads the text of a record.
 *
 * @param id what the file's name says
 * @param source JSON with comments
 */
export function parseVmRecord(id: VmId, source: string): RecordReading {
  let written: unknown;
  try {
    written = parseJsonc(source);
  } catch (error) {
    if (!(error instanceof JsoncError)) throw error;
    return { kind: "invalid", errors: [`Cannot read the record as it must be JSON with comments: ${error.message}`] };
  }
  if (!isDocument(written)) return { kind: "invalid", errors: [complaint("", "it must be an object", written)] };
  const schema = isDocument(written["launch"]) && "systemd_unit" in written["launch"] ? unitSchema : programSchema;
  const parsed = schema.safeParse(written);
  const errors = parsed.success ? [] : complaintsOf(parsed.error, written, KNOWN_KEYS);
  errors.push(...disagreements(id, written));
  if (!parsed.success || errors.length > 0) return { kind: "invalid", errors };
  return { kind: "valid", record: recordOf(parsed.data) };
}

type RecordValues = z.infer<typeof programSchema> | z.infer<typeof unitSchema>;

function recordOf(values: RecordValues): VmRecord {
  const { guest, ...health } = values.health_check;
  const started = { vmm: values.vmm, socket: values.socket, launch: values.launch, disks: values.disks };
  return {
    ...started,
    id: values.id,
    desired: values.state,
    priority: values.priority,
    restart: values.restart,
    stop: values.stop,
    guest,
    healthCheck: renamed(health, HEALTH_NAMES),
    recovery: renamed(values.recovery, RECOVERY_NAMES),
    contentHash: recordHash(values, DEFAULTS),
    launchHash: recordHash(started, DEFAULTS),
  };
}

/** What is wrong between keys that may each be right. */
function disagreements(id: VmId, written: Document): string[] {
  const found: string[] = [];
  const { id: writtenId, vmm, socket } = written;
  if (typeof writtenId === "string" && writtenId !== id) {
    found.push(complaint("id", `it must equal the file's name without .json, ${JSON.stringify(id)}`, writtenId));
  }
  if (vmm === "process" && socket !== undefined) {
    found.push(complaint("socket", 'a VM of the kind "process" has none', socket));
  }
  if (socket === undefined && (vmm === "firecracker" || vmm === "cloud-hypervisor" || vmm === "qemu")) {
    found.push(complaint("socket", `a VM of the kind "${vmm}" must have one`, socket));
  }
  for (const name of ["health_check", "recovery"] as const) {
    const part = written[name];
    if (isDocument(part)) found.push(...contradictionsIn(name, part));
  }
  return found;
}
