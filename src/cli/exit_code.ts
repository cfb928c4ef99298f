/**
 * How the program ends, in the numbers of sysexits: https://man7.org/linux/man-pages/man3/sysexits.h.3head.html
 *
 * The service manager starts the agent again after all of them but 64 and 78, which no second try will change.
 * @module
 */

export const EXIT_CODE = {
  ok: 0,
  /** What was asked for did not come about; of `status`: a VM is not as it is wanted. */
  failed: 1,
  /** Of `status`, as of `systemctl status`: the agent does not run, and there is no such VM or no telling. */
  notRunning: 3,
  unknownStatus: 4,
  /** The command line is wrong. */
  usage: 64,
  /** A bug. */
  software: 70,
  /** The instance lock cannot be had on this host. */
  cannotCreate: 73,
  /** Another agent has this registry. */
  locked: 75,
  /** The configuration is wrong. */
  configuration: 78,
} as const;

export type ExitCode = (typeof EXIT_CODE)[keyof typeof EXIT_CODE];
