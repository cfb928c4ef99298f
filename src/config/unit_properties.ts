/**
 * Which properties of its unit a record may set: https://www.freedesktop.org/software/systemd/man/latest/systemd-run.html
 *
 * Limits, sandboxes and the like are the operator's. Refused are those on which the agent's own promises rest: which
 * processes are the VM's and what they are marked with, that nobody but the agent starts it again, that its end can be read
 * afterwards, and that it lives on without the agent and ends with the host in the right order.
 * @module
 */

import { z } from "zod";
import { list } from "./leaves.ts";

/** Set by the keys of the record beside them. */
const SET_BY_RECORD = [
  ["User", "launch.user"],
  ["Group", "launch.user"],
  ["WorkingDirectory", "launch.cwd"],
  ["Environment", "launch.env"],
  ["TimeoutStopSec", "recovery.shutdown_timeout"],
  ["Restart", "restart"],
] as const;

/** Whole families begin with these. */
const OWNED_PREFIXES = [
  "Exec",
  "Restart",
  "StartLimit",
  "TimeoutStart",
  "Propagates",
  "StopPropagated",
  "RefuseManual",
];

const OWNED = [
  ...["Type", "RemainAfterExit", "CollectMode", "GuessMainPID", "PIDFile", "NotifyAccess", "BusName", "DynamicUser"],
  ...["EnvironmentFile", "PassEnvironment", "UnsetEnvironment", "Slice", "KillMode", "SendSIGKILL", "TimeoutSec"],
  ...["TimeoutStopFailureMode", "SuccessExitStatus", "DefaultDependencies", "Before", "BindsTo", "PartOf", "Requires"],
  ...["Requisite", "Conflicts", "StopWhenUnneeded", "JobTimeoutSec", "JobTimeoutAction", "JobRunningTimeoutSec"],
];

const value = z.custom<string>(
  (written) => typeof written === "string" && !/[\0-\x08\n-\x1f\x7f]/.test(written),
  "it must be a text of one line, or a list of such",
);

/** `"MemoryMax": "2G"`, `"DeviceAllow": ["/dev/kvm rw", "/dev/net/tun rw"]` */
export const unitProperties = z
  .record(
    z.string(),
    z.preprocess((written) => (typeof written === "string" ? [written] : written), list(value)),
    "it must be an object",
  )
  .superRefine((properties, context) => {
    for (const name of Object.keys(properties)) {
      const rule = propertyRule(name);
      if (rule !== undefined) context.addIssue({ code: "custom", path: [name], message: rule });
    }
  });

/** Why a record may not set a property, as a rule; undefined when it may. */
export function propertyRule(name: string): string | undefined {
  if (!/^[A-Z][A-Za-z0-9]{0,63}$/.test(name)) return "its name must be that of a property of systemd";
  const key = SET_BY_RECORD.find(([property]) => property === name)?.[1];
  if (key !== undefined) return `${name} is set by ${key}`;
  const owned = OWNED.includes(name) || OWNED_PREFIXES.some((prefix) => name.startsWith(prefix));
  return owned ? `${name} is metald's own, as it decides how the VM starts, ends or is recognised` : undefined;
}
