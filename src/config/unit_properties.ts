/**
 * Which properties of its unit a record may set:
 * https://www.freedesktop.org/software/systemd/man/latest/systemd.directives.html
 *
 * What a VM may use and see is the operator's to say: limits, scheduling, devices, network, sandbox, credentials,
 * lines of the journal. Everything else is refused, known today or not, as the agent's promises rest on it:
 *
 * - that nobody but the agent starts the VM again, or ends it (`Restart*`, `RuntimeMaxSec`, `WatchdogSec`, `OnFailure`,
 *   `BindsTo`, `PartOf`, `Condition*`, `JobTimeoutSec`);
 * - that no VM touches the host itself or the agent (`FailureAction`, `SuccessAction`, `StartLimitAction`,
 *   `Conflicts`, `Upholds`; `RuntimeDirectory=metald` would give the agent's own to the VM's user);
 * - which processes are the VM's (`Slice`, `Delegate`, `User`, `Environment*`) and how their end is known (`Type`,
 *   `PIDFile`, `RemainAfterExit`, `SuccessExitStatus`);
 * - that the host shuts guests down, in order (`Exec*`, `KillMode`, `KillSignal`, `TimeoutStopSec`,
 *   `DefaultDependencies`; beneath a `RootDirectory` of the VM's user root would run that user's loader);
 * - that the console is in the journal (`Standard*`, `LogNamespace`).
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
const FAMILIES = [
  ...["AllowedCPUs", "AllowedMemoryNodes", "Block", "CPU", "Device", "IO", "IPAccounting", "IPAddress", "Limit"],
  ...[
    "ManagedOOM",
    "Memory",
    "NUMA",
    "OOM",
    "SocketBind",
    "StartupAllowed",
    "StartupCPU",
    "StartupIO",
    "StartupMemory",
  ],
  ...["Tasks", "AppArmorProfile", "Capability", "LoadCredential", "LockPersonality", "LogRateLimit", "Private"],
  ...["Protect", "Restrict", "SetCredential", "SELinux", "SmackProcessLabel", "Syslog", "SystemCall"],
];

const SINGLE = [
  ...["AmbientCapabilities", "BindPaths", "BindReadOnlyPaths", "CoredumpFilter", "ExecPaths", "InaccessiblePaths"],
  ...["KeyringMode", "LogExtraFields", "LogLevelMax", "MountFlags", "NetworkNamespacePath", "Nice", "NoExecPaths"],
  ...["NoNewPrivileges", "Personality", "ProcSubset", "ReadOnlyPaths", "ReadWritePaths", "SecureBits"],
  ...["SupplementaryGroups", "TemporaryFileSystem", "TimerSlackNSec", "UMask"],
];

/** What the VM uses while it runs, such as a virtiofsd, and what must therefore end after it. */
const ORDER = "After";
/**
 * The agent comes after its VMs, and targets come after the agent: a VM after either would close a circle, which
 * systemd breaks by leaving out the stop of somebody when the host shuts down.
 */
const MAY_PRECEDE = /^(?!metald[.-])[A-Za-z0-9:_.\\@-]{1,247}\.(service|socket|mount|device)$/;

const ALLOWED = [...FAMILIES.map((family) => `${family}*`), ...SINGLE, ORDER].sort().join(", ");

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
    for (const [name, values] of Object.entries(properties)) {
      const rule = propertyRule(name, values);
      if (rule !== undefined) context.addIssue({ code: "custom", path: [name], message: rule });
    }
  });

/** Why a record may not set a property so, as a rule; undefined when it may. */
export function propertyRule(name: string, values: readonly string[]): string | undefined {
  if (!/^[A-Z][A-Za-z0-9]{0,63}$/.test(name)) return "its name must be that of a property of systemd";
  const key = SET_BY_RECORD.find(([property]) => property === name)?.[1];
  if (key !== undefined) return `${name} is set by ${key}`;
  if (name === ORDER) {
    const precede = values.every((each) => each.split(/\s+/).every((unit) => unit === "" || MAY_PRECEDE.test(unit)));
    return precede ? undefined : "it must name services, sockets, mounts or devices, and none of metald";
  }
  if (SINGLE.includes(name) || FAMILIES.some((family) => name.startsWith(family))) return undefined;
  return `${name} is metald's own, as it decides how the VM starts, ends or is recognised; a record may set ${ALLOWED}`;
}
